import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { PYTHON } from '../lib/cache.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { Process } from '../lib/process.js';
import { assertPlays, viewIn } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

/** Consent expires after 30 s (RFC 7675); and some time for the server to notice. */
const GHOST_MS = 40_000;
const parts = harness('killed-ends');

async function sessions(channel) {
  const response = await parts.spillway.api(`/api/v1/sessions?channel=${channel}`);
  const list = await response.json();
  return (list.items ?? list).filter((session) => session.channel === channel);
}

test('kill -9 of a viewer ends its session and disturbs nobody', async () => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/hunted'),
    token: await spillway.token('publish', 'hunted'),
  });
  const survivor = await parts.openBench();
  await viewIn(survivor, { url: spillway.url('/whep/hunted') });
  await assertPlays(survivor);

  const victim = new Process({
    test: parts.test,
    name: 'victim',
    command: PYTHON,
    args: [
      path.join(import.meta.dirname, '../aiortc/view.py'),
      spillway.url('/whep/hunted'),
      '--seconds',
      '600',
    ],
  });
  await until('three sessions', async () => (await sessions('hunted')).length === 3);
  await victim.kill();
  await until('the ghost is gone', async () => (await sessions('hunted')).length === 2, {
    timeout: GHOST_MS,
  });
  const gap = await survivor.evaluate(() => {
    const times = window.viewer.frames.map(({ at }) => at).slice(30);
    return Math.max(...times.slice(1).map((at, i) => at - times[i]));
  });
  assert.ok(gap < 1_000, `the other viewer's picture stood for ${gap} ms`);
  await obs.stop();
});

test('kill -9 of a publisher ends its broadcast, and its channel is free', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'orphan');
  const script = path.join(import.meta.dirname, '../aiortc/publish.py');
  const victim = new Process({
    test: parts.test,
    name: 'orphan',
    command: PYTHON,
    args: [script, spillway.url('/whip/orphan'), '--token', token, '--seconds', '600'],
  });
  await until('the publisher is there', async () => (await sessions('orphan')).length === 1);
  await victim.kill();
  await until('the ghost is gone', async () => (await sessions('orphan')).length === 0, {
    timeout: GHOST_MS,
  });
  const obs = await ObsPublisher.start({ url: spillway.url('/whip/orphan'), token });
  assert.equal(await obs.stop(), 200);
});
