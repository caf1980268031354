import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export const LOADTEST =
  process.env.SPILLWAY_LOADTEST_BIN ??
  path.join(import.meta.dirname, '../../../target/debug/spillway-loadtest');

/** Runs `spillway-loadtest run` against a node with these options, and gives its report. */
export async function load(spillway, ...options) {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-load-'));
  const json = path.join(directory, 'report.json');
  const html = path.join(directory, 'report.html');
  const plot = path.join(directory, 'plot.svg');
  try {
    const env = { ...process.env, SPILLWAY_LOADTEST_TOKEN: await spillway.token('admin') };
    const { stdout } = await promisify(execFile)(
      LOADTEST,
      [
        ...['run', '--server', spillway.url('/'), '--server-pid', String(spillway.pid)],
        ...['--json', json, '--html', html, '--plot', plot, ...options],
      ],
      { env },
    );
    const report = JSON.parse(await fs.readFile(json, 'utf8'));
    const [page, svg] = await Promise.all([html, plot].map((file) => fs.readFile(file, 'utf8')));
    return { ...report, table: stdout, html: page, svg };
  } finally {
    await fs.rm(directory, { recursive: true });
  }
}
