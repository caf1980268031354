import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact, report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { watchDemo } from '../lib/hls-viewing.js';

const parts = harness('hls-demo-plays', { args: ['--demo'], hls: true });
const SECONDS = 60;
/** What holds on a machine that has other things to do, too. `npm run soak` has the bounds of one that doesn't. */
const MAX_LATENCY_MS = 3_000;
const MAX_STAND_MS = 1_000;
/** Beyond which lips are seen to be off. */
const MAX_SKEW_MS = 40;

test('hls.js plays the demo without a break, up and down the renditions', async () => {
  const seen = await watchDemo(parts, { seconds: SECONDS, switches: 1 });
  report(parts.test, seen);
  assert.deepEqual([seen.troubles, seen.faults, seen.refused], [[], 0, []]);
  const stalls = seen.stands.filter(({ ms }) => ms > MAX_STAND_MS);
  assert.deepEqual(stalls, [], 'the picture stood');
  assert.equal(seen.backwards, 0, 'pictures in order');
  assert.ok(seen.shown > SECONDS * 12, `${seen.shown} pictures in ${SECONDS} s`);
  assert.ok(seen.p95 < MAX_LATENCY_MS, `the pictures were ${seen.p95} ms old`);
  assert.deepEqual(seen.sizes, ['1280x720', '640x360', '1280x720']);
  assert.ok(seen.beeps > SECONDS / 2, `${seen.beeps} beeps were heard`);
  assert.ok(Math.abs(seen.muxedSoundLate) <= MAX_SKEW_MS, `${seen.muxedSoundLate} ms apart`);
  assert.ok(seen.parts.count > SECONDS * 5, `${seen.parts.count} parts were seen`);
  assert.deepEqual([seen.parts.wrong, seen.parts.troubles], [[], []]);
});

test('its page says how far behind live it is', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url('/watch/demo?player=hls'));
  await page.waitForFunction(() =>
    /s behind live/.test(document.getElementById('latency').textContent),
  );
  await page.mouse.move(300, 300);
  await page.screenshot({ path: artifact(parts.test, 'demo.png') });
});

test('the switch leads to the other player and back', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url('/watch/demo'));
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
  await page.mouse.move(300, 300);
  await page.click('#players [data-player=hls]');
  await page.waitForSelector('html[data-player="hls"][data-state="playing"]');
  await page.mouse.move(320, 300);
  await page.click('#players [data-player=webrtc]');
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
});
