import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { measureSwitches } from '../lib/switching.js';
import { closeSession, publishFrom } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

const SWITCHES = Number(process.env.SWITCHES ?? 100);
const MAX_GAP_MS = 200;
const parts = harness('switching');

/** Three encodings of a picture of this size. */
function simulcast(codec, [width, height], bitrates) {
  const encodings = [4, 2, 1].map((scaleResolutionDownBy, i) => ({
    rid: ['q', 'h', 'f'][i],
    scaleResolutionDownBy,
    maxBitrate: bitrates[i],
  }));
  const layers = encodings.map(({ rid, scaleResolutionDownBy }) => ({
    width: width / scaleResolutionDownBy,
    selection: { rid },
  }));
  return { publish: { codec, width, height, encodings }, layers };
}

/** One encoding with spatial layers. */
function spatial(codec, [width, height], bitrate, scalabilityMode) {
  const encodings = [{ scalabilityMode, maxBitrate: bitrate }];
  const layers = [4, 2, 1].map((divisor, i) => ({
    width: width / divisor,
    selection: { maxSpatialLayerId: i },
  }));
  return { publish: { codec, width, height, encodings }, layers };
}

const CASES = {
  'H264 simulcast': simulcast('H264', [1280, 720], [150_000, 500_000, 1_500_000]),
  'VP8 simulcast': simulcast('VP8', [960, 540], [150_000, 400_000, 1_000_000]),
  'VP9 L3T3_KEY': spatial('VP9', [960, 540], 1_500_000, 'L3T3_KEY'),
  'AV1 L3T3_KEY': spatial('AV1', [960, 540], 1_500_000, 'L3T3_KEY'),
};

for (const [name, { publish, layers }] of Object.entries(CASES)) {
  test(`${name}: a viewer that changes layers sees no freeze`, async () => {
    const { spillway, openBench } = parts;
    const channel = publish.codec.toLowerCase();
    const publisher = await openBench();
    const token = await spillway.token('publish', channel);
    const url = spillway.url(`/whip/${channel}`);
    await publishFrom(publisher, { url, token, ...publish });
    await until('all layers flow', () => largestFlows(channel, publish), {
      timeout: 60_000,
      interval: 500,
    });
    try {
      await measure(name, { url: spillway.url(`/whep/${channel}`), layers });
    } finally {
      await closeSession(publisher, 'publisher');
      await publisher.context().close();
    }
  });
}

test('OBS with three layers and a keyframe every 2 s: a viewer that changes layers sees no freeze', async () => {
  const { spillway } = parts;
  const obs = await ObsPublisher.start({
    url: spillway.url('/whip/obs'),
    token: await spillway.token('publish', 'obs'),
    gop: 2,
    simulcast: true,
  });
  await sleep(3_000);
  const layers = [320, 640, 1280].map((width, i) => ({
    width,
    selection: { rid: String(2 - i) },
  }));
  try {
    await measure('OBS', { url: spillway.url('/whep/obs'), layers });
  } finally {
    await obs.stop();
  }
});

async function measure(name, { url, layers }) {
  const options = { openPage: parts.openBench, url, layers, switches: SWITCHES };
  const figures = await measureSwitches(options);
  report(`${parts.test}-${name.replaceAll(' ', '-')}`, figures);
  assert.deepEqual(
    figures.pinnedWidths,
    layers.map(({ width }) => width),
    'viewers of different layers see different sizes',
  );
  assert.equal(figures.inVain, 0, 'all switches happen');
  assert.ok(figures.longestOwnGapMs <= MAX_GAP_MS, `frozen for ${figures.longestOwnGapMs} ms`);
  assert.equal(figures.timecodes.back, 0, 'pictures never go back');
  assert.equal(figures.keyframeRequests, 0, 'the decoder never lost its way');
}

/** Whether the node sees the whole picture, of all encodings. */
async function largestFlows(channel, { width, encodings }) {
  const response = await parts.spillway.api(`/api/v1/sessions?channel=${channel}`);
  const { items } = await response.json();
  const publisher = items.find(({ role }) => role === 'publisher');
  return publisher?.figures?.width === width && encodings.length > 0;
}
