import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

const PAGES = path.join(import.meta.dirname, '../../../web-client/dist');
const CSP = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:";
const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  m3u8: 'application/vnd.apple.mpegurl',
  m4s: 'video/iso.segment',
  mp4: 'video/mp4',
  vtt: 'text/vtt',
  jpg: 'image/jpeg',
};
/** What stands for each page's last part. */
const PAGE = /^\/(watch|vod)\/[\w-]+$/;
const RECORDING = /^\/api\/v1\/recordings\/([\w-]+)$/;

/**
 * As much of a node as pages need of it that play recordings: the pages (as `npm run build` left them), and recordings that are
 * as the test says, under addresses and in forms that the node has for them. Nothing is live here.
 */
export class StandInNode {
  #server;
  #dir;
  /** By broadcast: what the API says of it. */
  recordings = new Map();
  /** How many segments there are, while it's recorded. */
  segments = Infinity;
  /** What is asked for by those who may watch; empty: nothing. */
  token = '';
  /** What came: method, path and query, and whether the header had the token. */
  requests = [];

  /** `dir`: the objects of every recording. */
  static async start(dir, host = '127.0.0.1') {
    const node = new StandInNode();
    node.#dir = dir;
    node.#server = http.createServer((request, response) => {
      node.#answer(request, response).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    });
    await new Promise((resolve) => node.#server.listen(0, host, resolve));
    node.origin = `http://${host}:${node.#server.address().port}`;
    return node;
  }

  url(pathname) {
    return `${this.origin}${pathname}`;
  }

  /** Makes a recording, or changes it. */
  set(broadcast, fields) {
    const before = this.recordings.get(broadcast) ?? {
      broadcast,
      channel: 'demo',
      title: 'A night at the observatory',
      started_at: '2026-01-02T18:00:00.000Z',
      ended_at: null,
      duration_ms: 24_000,
      bytes: 2_400_000,
      playlist: `/vod/${broadcast}/index.m3u8`,
      ...{ video: null, poster: null, storyboard: null, chapters: null },
    };
    this.recordings.set(broadcast, { ...before, ...fields });
  }

  /** It's whole. */
  finish(broadcast) {
    const at = (name) => `/vod/${broadcast}/${name}`;
    this.set(broadcast, {
      state: 'ready',
      ended_at: '2026-01-02T18:00:24.000Z',
      video: at('video.mp4'),
      poster: at('poster.jpg'),
      storyboard: at('storyboard.vtt'),
      chapters: at('chapters.vtt'),
    });
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.origin);
    const { pathname } = url;
    const given = request.headers.authorization ?? '';
    this.requests.push({ method: request.method, url: request.url, hasHeader: given !== '' });
    if (PAGE.test(pathname)) await file(response, PAGES, `${pathname.split('/')[1]}.html`);
    else if (pathname.startsWith('/assets/')) await file(response, PAGES, pathname);
    else if (pathname === '/api/v1/live') json(response, 200, { items: [] });
    else if (pathname.startsWith('/whep/')) problem(response, 404, 'There is no such channel');
    else if (!this.#may(given, url)) problem(response, 401, 'A token is needed');
    else await this.#watch(request, response, pathname);
  }

  #may(header, { pathname, searchParams }) {
    // Only what players can't send with a header may have its token in the address.
    const inQuery = pathname.startsWith('/vod/') ? searchParams.get('token') : null;
    return this.token === '' || header === `Bearer ${this.token}` || inQuery === this.token;
  }

  async #watch(request, response, pathname) {
    const [, first, ...rest] = pathname.split('/');
    if (first === 'vod') {
      const [broadcast, ...name] = rest;
      if (this.recordings.has(broadcast))
        await this.#object(request, response, broadcast, name.join('/'));
      else problem(response, 404, 'There is no such recording');
      return;
    }
    const all = [...this.recordings.values()].reverse();
    const found = this.recordings.get(RECORDING.exec(pathname)?.[1]);
    if (found) json(response, 200, found);
    else if (pathname.endsWith('/recordings')) json(response, 200, { items: all });
    else problem(response, 404, 'There is no such recording');
  }

  async #object(request, response, broadcast, name) {
    const { state } = this.recordings.get(broadcast);
    if (state !== 'ready' && name.endsWith('p/index.m3u8')) {
      const text = await fs.readFile(path.join(this.#dir, name), 'utf8');
      send(response, 200, this.#growing(text, state), { 'content-type': TYPES.m3u8 });
    } else {
      await file(response, this.#dir, name, request.headers.range);
    }
  }

  /** A playlist as it is while the recording goes on. */
  #growing(playlist, state) {
    const parts = playlist.split(/(?=#EXTINF)/);
    const shown = parts
      .slice(0, 1 + this.segments)
      .join('')
      .replace('#EXT-X-ENDLIST', '')
      .trimEnd();
    const end = state === 'recording' ? '' : '\n#EXT-X-ENDLIST';
    return `${shown.replace('PLAYLIST-TYPE:VOD', 'PLAYLIST-TYPE:EVENT')}${end}\n`;
  }
}

async function file(response, dir, name, range) {
  const whole = path.join(dir, name);
  const data = whole.startsWith(dir) ? await fs.readFile(whole).catch(() => null) : null;
  if (data === null) {
    problem(response, 404, 'There is no such file');
    return;
  }
  const headers = {
    'content-type': TYPES[name.split('.').at(-1)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
    'accept-ranges': 'bytes',
  };
  const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (asked === null) {
    send(response, 200, data, headers);
    return;
  }
  const [from, to] = [Number(asked[1]), asked[2] === '' ? data.length - 1 : Number(asked[2])];
  const described = { ...headers, 'content-range': `bytes ${from}-${to}/${data.length}` };
  send(response, 206, data.subarray(from, to + 1), described);
}

function json(response, status, body, type = 'application/json') {
  send(response, status, JSON.stringify(body), { 'content-type': type });
}

function problem(response, status, title) {
  json(response, status, { title, status }, 'application/problem+json');
}

function send(response, status, body, headers) {
  response.writeHead(status, { 'cache-control': 'no-cache', ...headers });
  response.end(body);
}
