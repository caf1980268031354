import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

const SCRIPTS = path.join(import.meta.dirname, 'browser');
const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title>
<style>body{margin:0;background:#222}video{width:640px;display:block}</style>
<script type="module">
import { publish } from './publish.js';
import { view } from './view.js';
window.bench = { publish, view };
</script>`;

/**
 * A page of our own, on an origin of its own, that publishes and views by plain WHIP and WHEP: what a
 * stranger's web page would do. It gives tests more control than the product's pages.
 */
export class Bench {
  #server;

  /** `host` is the address under which the browser reaches it. */
  static async start(host = '127.0.0.1') {
    const bench = new Bench();
    bench.#server = http.createServer((request, response) => void serve(request, response));
    await new Promise((resolve) => bench.#server.listen(0, host, resolve));
    bench.url = `http://${host}:${bench.#server.address().port}/`;
    return bench;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function serve(request, response) {
  const name = path.basename(request.url ?? '/');
  if (name.endsWith('.js')) {
    const script = await fs.readFile(path.join(SCRIPTS, name)).catch(() => null);
    response.writeHead(script === null ? 404 : 200, { 'content-type': 'text/javascript' });
    response.end(script);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end(PAGE);
}
