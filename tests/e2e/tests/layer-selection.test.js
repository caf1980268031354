import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { measureSwitches } from '../lib/switching.js';
import { assertPlays, viewIn } from '../lib/viewing.js';
import { sleep } from '../lib/wait.js';

const parts = harness('layer-selection');
const LAYERS = [
  { width: 320, selection: { rid: '2' } },
  { width: 640, selection: { rid: '1' } },
  { width: 1280, selection: { rid: '0' } },
];

test('a viewer goes from layer to layer of OBS, and its pictures never go back', async (t) => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/obs'),
    token: await spillway.token('publish', 'obs'),
    gop: 2,
    simulcast: true,
  });
  t.after(() => obs.stop());
  await sleep(3_000);
  const url = spillway.url('/whep/obs');
  const openPage = parts.openBench;
  const figures = await measureSwitches({ openPage, url, layers: LAYERS, switches: 6 });
  assert.deepEqual(figures.pinnedWidths, [320, 640, 1280], 'three viewers see three sizes');
  assert.equal(figures.inVain, 0, 'all switches happen');
  assert.equal(figures.timecodes.back, 0, 'pictures never go back');
  assert.equal(figures.keyframeRequests, 0, 'the decoder never lost its way');
});

test('a layer that the broadcast does not have is refused by name', async (t) => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/named'),
    token: await spillway.token('publish', 'named'),
    simulcast: true,
  });
  t.after(() => obs.stop());
  const page = await parts.openBench();
  await viewIn(page, { url: spillway.url('/whep/named') });
  await assertPlays(page);
  const choose = (choice) => page.evaluate((c) => window.viewer.select(c), choice);
  await assert.rejects(choose({ rid: 'hd' }), /422.*it has \\?"0\\?", \\?"1\\?", \\?"2\\?"/s);
  await choose({ rid: '1' });
});
