import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { assertPlays, viewIn } from '../lib/viewing.js';
import { sleep } from '../lib/wait.js';

const parts = harness('obs-publisher');

test('a publisher with the SDP and habits of OBS is watched in Chromium', async () => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/obs'),
    token: await spillway.token('publish', 'obs'),
  });
  // The keyframe is long gone when the viewer comes, and no request brings another.
  await sleep(3_000);
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/obs') });
  const seen = await assertPlays(viewer, { timeout: 5_000 });
  assert.equal(seen.mimeType, 'video/H264');
  assert.deepEqual([seen.width, seen.height], [1280, 720]);
  assert.equal(await obs.stop(), 200, 'OBS takes nothing but 200 for its DELETE');
});

test('packets that OBS loses on its way are asked for again', async () => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/lossy'),
    token: await spillway.token('publish', 'lossy'),
    loss: (sequence) => sequence % 50 === 49,
  });
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/lossy') });
  await assertPlays(viewer, { frames: 90 });
  assert.ok(obs.received.nacks > 0, 'the server asked for the lost packets');
  await obs.stop();
});
