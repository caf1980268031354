import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { assertPlays, decoded, viewIn } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

const parts = harness('publisher-returns');

test('a publisher that drops and returns takes its channel over, and its viewer plays on', async () => {
  const { spillway } = parts;
  const options = {
    url: spillway.url('/whip/returns'),
    token: await spillway.token('publish', 'returns'),
  };
  const first = await ObsPublisher.start(options);
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/returns') });
  await assertPlays(viewer);
  // The first one's session is still there when the second comes: it is its ghost.
  const second = await ObsPublisher.start(options);
  first.abandon();
  const before = await decoded(viewer);
  const after = await until('frames of the second publisher', async () => {
    const seen = await decoded(viewer);
    return seen.frames > before.frames + 60 && seen;
  });
  const last = await viewer.evaluate(() => window.viewer.frames.at(-1));
  assert.ok(
    second.age(last.timecode, last.unixMs) < 1_000,
    'what is shown is what the second sends',
  );
  assert.equal(after.mimeType, 'video/H264');
  assert.equal(await viewer.evaluate(() => window.viewer.peer.connectionState), 'connected');
  await second.stop();
});
