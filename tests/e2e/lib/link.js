import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Process } from './process.js';
import { until } from './wait.js';

const run = promisify(execFile);
const BINARY =
  process.env.SPILLWAY_LOADTEST_BIN ??
  path.join(import.meta.dirname, '../../../target/debug/spillway-loadtest');
/** Where the server is, seen from the other side. */
export const NEAR = '10.77.0.1';

/** The device on our side. */
const DEVICE = 'link0';

/** Whether this process may make network namespaces. */
export const canMakeNamespaces = process.getuid() === 0;

/**
 * A network namespace behind a slow link: our side is `NEAR`. `conditions` are options of `spillway-loadtest link`.
 */
export class SlowLink {
  static async start({ test, conditions }) {
    const link = new SlowLink();
    link.name = `spillway-${process.pid}`;
    await run('ip', ['netns', 'add', link.name]);
    await run('ip', ['-n', link.name, 'link', 'set', 'lo', 'up']);
    const args = ['link', '--a', '.', '--b', link.name, ...conditions];
    link.process = new Process({ test, name: 'link', command: BINARY, args, input: true });
    try {
      await until('the link is up', () => {
        if (!link.process.running) throw new Error(`the link ended:\n${link.process.output}`);
        return link.process.output.includes('link up');
      });
    } catch (error) {
      await link.stop();
      throw error;
    }
    return link;
  }

  /** Changes conditions: options of `spillway-loadtest link`. Gives the time in Unix milliseconds. */
  async change(...conditions) {
    const line = conditions.join(' ');
    const from = this.process.output.length;
    this.process.write(`${line}\n`);
    const answer = new RegExp(`^(\\d+) changed: ${line}$`, 'm');
    const [, at] = await until(`the link takes ${line}`, () => {
      return answer.exec(this.process.output.slice(from));
    });
    return Number(at);
  }

  /** A program that runs another one on the far side. */
  async wrap(executable) {
    this.dir ??= await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-link-'));
    const script = path.join(this.dir, path.basename(executable));
    await fs.writeFile(script, `#!/bin/sh\nexec ip netns exec ${this.name} ${executable} "$@"\n`, {
      mode: 0o755,
    });
    return script;
  }

  /** Bytes that left our side so far, headers included. */
  async sentBytes() {
    const count = await fs.readFile(`/sys/class/net/${DEVICE}/statistics/tx_bytes`, 'utf8');
    return Number(count);
  }

  async stop() {
    await this.process.stop();
    await run('ip', ['netns', 'del', this.name]);
    if (this.dir) await fs.rm(this.dir, { recursive: true });
  }
}
