import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { artifact } from './artifacts.js';

const STOP_MS = 10_000;

/** A child process whose output is kept as an artifact and can be searched. */
export class Process {
  #child;
  #exit;
  output = '';

  /**
   * `input`: it reads what `write` is given.
   *
   * @param {{ test: string, name: string, command: string, args: string[], env?: object, cwd?: string, input?: boolean }} options
   */
  constructor({ test, name, command, args, env = {}, cwd, input = false }) {
    this.name = name;
    const log = fs.createWriteStream(artifact(test, `${name}.log`));
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (data) => {
        this.output += data;
        log.write(data);
      });
    }
    this.#exit = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    this.#exit.catch(() => {});
  }

  write(text) {
    this.#child.stdin.write(text);
  }

  get pid() {
    return this.#child.pid;
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with `{ code, signal }` when the process has ended. */
  get exit() {
    return this.#exit;
  }

  /** Asks it to end, and insists after a while. */
  async stop(signal = 'SIGTERM') {
    if (this.running) this.#child.kill(signal);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#child.kill('SIGKILL');
    }, STOP_MS);
    const ended = await this.#exit;
    // One that goes on keeps the whole test from ending.
    clearTimeout(timer);
    if (isLate) throw new Error(`${this.name} didn't end within ${STOP_MS} ms of ${signal}`);
    return ended;
  }

  /** Ends it without giving it a chance to clean up. */
  async kill() {
    if (this.running) this.#child.kill('SIGKILL');
    return this.#exit;
  }
}
