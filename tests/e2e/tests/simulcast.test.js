import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { assertPlays, closeSession, decoded, publishFrom, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', maxBitrate: 1_500_000 },
];
const WIDTHS = { q: 320, h: 640, f: 1280 };
const parts = harness('simulcast');

test('three viewers of a simulcast of VP8 get the layers that they ask for, and a fourth the best', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'layers');
  const publisher = await parts.openBench();
  await publishFrom(publisher, {
    url: spillway.url('/whip/layers'),
    token,
    codec: 'VP8',
    encodings: LAYERS,
  });
  const all = () => publisher.evaluate(flowingLayers);
  await until('all layers are sent', async () => (await all()) === LAYERS.length, {
    timeout: 60_000,
    interval: 500,
  });
  const asked = ['q', 'h', 'f', undefined];
  const pages = await Promise.all(asked.map(() => parts.openBench()));
  for (const [i, rid] of asked.entries()) {
    const query = rid ? `?layer=${rid}` : '';
    await viewIn(pages[i], { url: spillway.url(`/whep/layers${query}`) });
  }
  for (const [i, rid] of asked.entries()) {
    await assertPlays(pages[i]);
    const wanted = WIDTHS[rid ?? 'f'];
    await until(
      `the viewer of ${rid ?? 'the best layer'} sees ${wanted} columns`,
      async () => (await decoded(pages[i])).width === wanted,
      { timeout: 30_000 },
    );
  }
  // They stay there.
  await sleep(2_000);
  for (const [i, rid] of asked.entries()) {
    assert.equal((await decoded(pages[i])).width, WIDTHS[rid ?? 'f']);
    await closeSession(pages[i], 'viewer');
  }
  await closeSession(publisher, 'publisher');
});

/** In the publisher's page: how many layers have left lately. */
async function flowingLayers() {
  const stats = await window.publisher.stats();
  const layers = stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
  return layers.filter(({ framesSent }) => framesSent > 30).length;
}
