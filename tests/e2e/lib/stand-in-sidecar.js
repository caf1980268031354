import fs from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { ffmpegPath } from './media.js';
import { Process } from './process.js';

/** How often it says that it's there. */
const REGISTER_MS = 1_000;
const TYPES = { m3u8: 'application/vnd.apple.mpegurl', mp4: 'video/mp4', m4s: 'video/iso.segment' };

/**
 * As much of a sidecar as the node knows of one: it registers, and serves a channel's HLS (docs/sidecar.md). The media is
 * FFmpeg's: a moving picture and a tone in segments of a second, fMP4, without parts.
 */
export class StandInSidecar {
  #server;
  #encoder;
  #timer;
  #dir;
  #spillway;
  #token;
  #channel;
  #channels = [];
  /** The requests that came: method, URL and headers. */
  requests = [];

  /** `host` is the address that it's registered with. */
  static async start({ test, spillway, channel, host = '127.0.0.1' }) {
    const sidecar = new StandInSidecar();
    sidecar.#spillway = spillway;
    sidecar.#channel = channel;
    sidecar.#token = await spillway.token('service');
    sidecar.#dir = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-hls-'));
    sidecar.#encoder = await encode(test, sidecar.#dir);
    sidecar.#server = http.createServer((request, response) => {
      sidecar.requests.push({ method: request.method, url: request.url, headers: request.headers });
      void sidecar.#answer(request, response);
    });
    await new Promise((resolve) => sidecar.#server.listen(0, host, resolve));
    sidecar.url = `http://${host}:${sidecar.#server.address().port}`;
    return sidecar;
  }

  /** Says that it's there and serves nothing yet, from now on. */
  async announce() {
    await this.#say([]);
  }

  /** Says that it serves the channel, from now on. */
  async register() {
    await this.#say([this.#channel]);
  }

  async #say(channels) {
    clearInterval(this.#timer);
    this.#channels = channels;
    await this.#put();
    this.#timer = setInterval(() => void this.#put().catch(() => {}), REGISTER_MS);
  }

  /** Ends the broadcast: the playlist says so, and stays. */
  async endBroadcast() {
    this.#encoder.write('q');
    await this.#encoder.exit;
  }

  async stop() {
    clearInterval(this.#timer);
    // The node may have gone before it.
    await this.#request('DELETE').catch(() => null);
    await this.#encoder.kill();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await fs.rm(this.#dir, { recursive: true, force: true });
  }

  async #put() {
    const response = await this.#request('PUT', { url: this.url, channels: this.#channels });
    if (response.status !== 204)
      throw new Error(`not registered: ${response.status} ${await response.text()}`);
  }

  #request(method, body) {
    return fetch(this.#spillway.url('/api/v1/sidecars/stand-in'), {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const name = path.basename(pathname);
    const isOurs = pathname.startsWith(`/hls/${this.#channel}/`);
    const file = isOurs && (await fs.readFile(path.join(this.#dir, name)).catch(() => null));
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[name.split('.').at(-1)] ?? 'application/octet-stream',
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
    });
    response.end(file);
  }
}

async function encode(test, dir) {
  const hls = [
    ...['-f', 'hls', '-hls_time', '1', '-hls_list_size', '6', '-hls_segment_type', 'fmp4'],
    ...['-hls_flags', 'program_date_time', '-master_pl_name', 'index.m3u8'],
  ];
  const args = [
    ...['-loglevel', 'warning', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30'],
    ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '30'],
    ...['-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:v', '800k', ...hls, 'v.m3u8'],
  ];
  const command = await ffmpegPath();
  return new Process({ test, name: 'encoder', command, args, cwd: dir, input: true });
}
