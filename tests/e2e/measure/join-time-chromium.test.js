import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { measureJoins } from '../lib/joins.js';
import { ObsPublisher } from '../lib/obs.js';

const JOINS = Number(process.env.JOINS ?? 20);
const parts = harness('join-time-chromium');

test('Chromium joins a 10 s group of pictures within 100 ms, whatever its point', async (t) => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/join'),
    token: await spillway.token('publish', 'join'),
    gop: 10,
  });
  t.after(() => obs.stop());
  const figures = await measureJoins({
    obs,
    joins: JOINS,
    url: spillway.url('/whep/join'),
    openPage: parts.openBench,
  });
  report(parts.test, figures);
  assert.ok(figures.firstFrameMs.median <= 100, 'first decoded frame, median');
  assert.ok(figures.firstFrameMs.p95 <= 250, 'first decoded frame, 95 %');
  assert.ok(figures.liveEdgeMs.max <= 1_000, 'at the live edge within a second');
  const { min, max } = figures.soundAheadMs;
  assert.ok(-min <= 60 && max <= 60, 'sound and picture together 2 s after joining');
});
