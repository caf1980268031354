import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from './ports.js';
import { Process } from './process.js';
import { until } from './wait.js';

const BINARY =
  process.env.SPILLWAY_BIN ?? path.join(import.meta.dirname, '../../../target/debug/spillway');
const SIDECAR = process.env.SPILLWAY_HLS_BIN ?? path.join(path.dirname(BINARY), 'spillway-hls');
/** More than any test machine has workers. */
const MEDIA_PORTS = 64;

/** A real `spillway serve` with a data directory of its own. */
export class Spillway {
  #process;
  #start;
  #config;
  /** What has a command run where the node runs, if that is a namespace of its own. */
  beside = [];

  /**
   * `hls`: with a sidecar beside it.
   *
   * @param {{ test: string, args?: string[], env?: object, host?: string, prefix?: string[], hls?: boolean,
   *   config?: string }} options the configuration is what would be in the file
   */
  static async start(options) {
    const { test, args = [], env = {}, host = '127.0.0.1', prefix = [], hls = false } = options;
    const spillway = new Spillway();
    spillway.host = host;
    spillway.port = await freePorts();
    spillway.mediaPort = await freePorts(MEDIA_PORTS);
    spillway.dataDir = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-e2e-'));
    // Beside it: a test may have the directory on a disk of its own.
    spillway.#config = `${spillway.dataDir}.toml`;
    await fs.writeFile(spillway.#config, options.config ?? '');
    const serve = [
      ...['serve', '--config', spillway.#config, '--http', `0.0.0.0:${spillway.port}`],
      ...['--media-port', String(spillway.mediaPort), '--data-dir', spillway.dataDir, ...args],
      ...(hls ? [] : ['--no-hls']),
    ];
    const all = { SPILLWAY_HLS_COMMAND: SIDECAR, ...env };
    const [command, ...rest] = [...prefix, BINARY, ...serve];
    spillway.#start = () => new Process({ test, name: 'spillway', command, args: rest, env: all });
    await spillway.restart();
    return spillway;
  }

  /** Starts the node (again): same ports, same data. */
  async restart() {
    this.#process = this.#start();
    await until('the server is ready', async () => {
      if (!this.#process.running) throw new Error(`the server ended:\n${this.#process.output}`);
      const response = await fetch(this.url('/readyz')).catch(() => null);
      return response?.ok;
    });
  }

  /** An absolute URL of this node. */
  url(pathname) {
    return `http://${this.host}:${this.port}${pathname}`;
  }

  get pid() {
    return this.#process.pid;
  }

  get log() {
    return this.#process.output;
  }

  /** Prints a token with the command line, as a streamer's host would: `token('publish', 'demo')`. */
  async token(...args) {
    const [command, ...rest] = [...this.beside, BINARY, 'token', ...args];
    const { stdout } = await promisify(execFile)(command, [...rest, '--data-dir', this.dataDir]);
    return stdout.trim();
  }

  /** Sends a request to the API with an admin token. */
  async api(pathname, options = {}) {
    this.adminToken ??= await this.token('admin');
    const headers = { authorization: `Bearer ${this.adminToken}`, ...options.headers };
    return fetch(this.url(pathname), { ...options, headers });
  }

  /** Makes a channel that nobody has published to yet. */
  async createChannel(name) {
    const headers = { 'content-type': 'application/json' };
    const response = await this.api('/api/v1/channels', {
      method: 'POST',
      headers,
      body: JSON.stringify({ name }),
    });
    if (response.status !== 201)
      throw new Error(`no channel ${name}: ${response.status} ${await response.text()}`);
  }

  /** The value of a metric's first sample whose line has all these parts, or undefined. */
  async metric(name, ...parts) {
    const text = await (await this.api('/metrics')).text();
    const line = text
      .split('\n')
      .find((l) => l.startsWith(name) && parts.every((part) => l.includes(part)));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  /** Ends the server as an operator would, and says how it ended. */
  async stopServer(signal = 'SIGTERM') {
    return this.#process.stop(signal);
  }

  async killServer() {
    return this.#process.kill();
  }

  /** For the end of a test. */
  async stop() {
    try {
      await this.#process.stop();
    } finally {
      await fs.rm(this.dataDir, { recursive: true, force: true });
      await fs.rm(this.#config, { force: true });
    }
  }
}
