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
    link.process = new Process({ test, name: 'link', command: BINARY, args });
    await until('the link is up', () => {
      if (!link.process.running) throw new Error(`the link ended:\n${link.process.output}`);
      return link.process.output.includes('link up');
    });
    return link;
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

  async stop() {
    await this.process.stop();
    await run('ip', ['netns', 'del', this.name]);
    if (this.dir) await fs.rm(this.dir, { recursive: true });
  }
}
