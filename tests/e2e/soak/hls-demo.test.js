import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { watchDemo } from '../lib/hls-viewing.js';

/** `HLS_MINUTES` of hls.js on an idle machine. */
const parts = harness('soak-hls-demo', { args: ['--demo'], hls: true });
const MINUTES = Number(process.env.HLS_MINUTES ?? 10);
const P50_MS = 1_500;
const P95_MS = 2_000;
/** What isn't seen: a picture more or less, at 30 a second, and what the page's own clock is off by. */
const MAX_STAND_MS = 250;
const MAX_SKEW_MS = 40;

test(`${MINUTES} minutes of LL-HLS without a break`, async () => {
  const switches = Math.max(1, Math.floor(MINUTES / 2));
  const seen = await watchDemo(parts, { seconds: MINUTES * 60, switches });
  report(parts.test, seen);
  assert.deepEqual([seen.troubles, seen.faults, seen.refused], [[], 0, []]);
  assert.deepEqual(
    seen.stands.filter(({ ms }) => ms > MAX_STAND_MS),
    [],
    'the picture stood',
  );
  assert.equal(seen.backwards, 0, 'pictures in order');
  assert.ok(seen.p50 <= P50_MS && seen.p95 <= P95_MS, `p50 ${seen.p50} ms, p95 ${seen.p95} ms`);
  assert.equal(seen.sizes.length, 2 * switches + 1, seen.sizes.join());
  // By the media's own times; when it's heard (`soundLateMs`), the way to the speakers counts as well.
  assert.ok(
    Math.abs(seen.muxedSoundLate) <= MAX_SKEW_MS,
    `sound is ${seen.muxedSoundLate} ms late`,
  );
  assert.deepEqual([seen.parts.wrong, seen.parts.troubles], [[], []]);
});
