import type { Connect, Plugin } from 'vite';

const PAGES = /^\/(?:(watch|studio|vod|overlay)\/[A-Za-z0-9_-]{1,64}|(dashboard))(?=$|\?)/;

const rewrite: Connect.NextHandleFunction = (request, _response, next) => {
  request.url = request.url?.replace(PAGES, '/$1$2.html');
  next();
};

/** Serves `/watch/{channel}`, `/studio/{channel}`, `/vod/{broadcast}`, `/overlay/{channel}` and `/dashboard` in development as the node does. */
export function pageRoutes(): Plugin {
  return {
    name: 'spillway-page-routes',
    configureServer: (server) => void server.middlewares.use(rewrite),
    configurePreviewServer: (server) => void server.middlewares.use(rewrite),
  };
}
