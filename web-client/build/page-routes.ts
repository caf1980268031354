import type { Connect, Plugin } from 'vite';

const PAGES = /^\/(watch|studio|vod|overlay)\/[A-Za-z0-9_-]{1,64}(?=$|\?)/;

const rewrite: Connect.NextHandleFunction = (request, _response, next) => {
  request.url = request.url?.replace(PAGES, '/$1.html');
  next();
};

/** Serves `/watch/{channel}`, `/studio/{channel}`, `/vod/{broadcast}` and `/overlay/{channel}` in development as the node does. */
export function pageRoutes(): Plugin {
  return {
    name: 'spillway-page-routes',
    configureServer: (server) => void server.middlewares.use(rewrite),
    configurePreviewServer: (server) => void server.middlewares.use(rewrite),
  };
}
