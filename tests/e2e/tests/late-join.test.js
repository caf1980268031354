import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { assertPlays, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

const parts = harness('late-join');

test('a viewer gets a picture long before the next keyframe of a publisher that ignores requests', async () => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/late'),
    token: await spillway.token('publish', 'late'),
    gop: 10,
  });
  await sleep(3_000);
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/late') });
  const frame = await until('a picture', () => viewer.evaluate(() => window.viewer.frames[0]), {
    interval: 20,
  });
  // The next keyframe is 6 to 7 s away.
  const waited = frame.at - (await viewer.evaluate(() => window.viewer.postedAt));
  assert.ok(waited < 3_000, `the first picture came after ${Math.round(waited)} ms`);
  await assertPlays(viewer);
  await obs.stop();
});
