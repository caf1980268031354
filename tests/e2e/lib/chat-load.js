import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LOADTEST } from './load.js';
import { Process } from './process.js';

/** A running `spillway-loadtest chat` against a node. */
export class ChatLoad {
  #process;
  #json;

  /** @param {{ test: string, spillway: import('./spillway.js').Spillway, args: string[] }} options */
  static async start({ test, spillway, args }) {
    const load = new ChatLoad();
    const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-chat-'));
    load.#json = path.join(directory, 'report.json');
    load.#process = new Process({
      test,
      name: 'chat-load',
      command: LOADTEST,
      args: ['chat', '--url', spillway.url('/'), '--json', load.#json, ...args],
      env: { RUST_BACKTRACE: '0' },
    });
    return load;
  }

  /** Whether it has told how far it is. */
  get hasToldProgress() {
    return / stored .* heard /.test(this.#process.output);
  }

  /** Resolves with its report, and what it said and how it ended: `{ report, output, code }`. */
  async finish() {
    const { code } = await this.#process.exit;
    const text = await fs.readFile(this.#json, 'utf8');
    await fs.rm(path.dirname(this.#json), { recursive: true });
    return { report: text === '' ? null : JSON.parse(text), output: this.#process.output, code };
  }
}
