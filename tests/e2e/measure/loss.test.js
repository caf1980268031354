import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { launchChromium, openBench } from '../lib/chromium.js';
import { gaps } from '../lib/gaps.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { watch } from '../lib/loss.js';
import { CHANNEL, publishLayers, steadyViewer } from '../lib/rate-drop.js';
import { Recording } from '../lib/recording.js';
import { assertPlays, closeSession, publishFrom, viewIn } from '../lib/viewing.js';
import { quantile, sleep } from '../lib/wait.js';

/** Five minutes are what the bounds speak of; a shorter run allows fewer freezes. */
const SECONDS = Number(process.env.LOSS_SECONDS ?? 60);
const FREEZES = Math.ceil((5 * SECONDS) / 300);
const SOUND = [
  '--delay',
  '30ms',
  '--loss',
  '0%',
  '--back-loss',
  '0%',
  '--burst-loss',
  '0%:1',
  '--jitter',
  '0ms',
  '--reorder',
  '0%',
];
const UPLINK_LOSS_MS = 10_000;
const RECOVERY_MS = 2_000;
const parts = linkHarness('loss', ['--delay', '30ms', '--seed', '1']);

async function watchThrough(name, conditions, sound = {}) {
  const { spillway, link } = parts.setup;
  const obs = await publishLayers(spillway);
  try {
    const page = await steadyViewer({ ...parts.setup, ...sound });
    await link.change(...conditions);
    await sleep(3_000);
    const recording = Recording.start({ spillway, link, channel: CHANNEL });
    const figures = await watch(page, () => obs.frames, SECONDS);
    figures.estimateMbits = estimates(await recording.stop());
    await link.change(...SOUND);
    report(`${parts.test}-${name}`, figures);
    await closeSession(page, 'viewer');
    await page.context().close();
    return figures;
  } finally {
    await obs.stop();
  }
}

/** What the node believed of the path: the least, and half of the time at most. */
function estimates(samples) {
  const mbits = samples.map(({ viewers }) => viewers[0].estimate / 1e6);
  return { min: quantile(mbits, 0), median: quantile(mbits, 0.5) };
}

test('5 % random loss at a round trip of 60 ms', { skip }, async () => {
  const figures = await watchThrough('random', ['--loss', '5%', '--back-loss', '0%']);
  assert.ok(figures.decodedShare >= 0.995, `${figures.decodedShare} of the frames decoded`);
  assert.ok(figures.freezes <= FREEZES, `${figures.freezes} freezes of more than 300 ms`);
  assert.ok(figures.longestGapMs <= 700, `frozen for ${figures.longestGapMs} ms`);
});

test(
  '2 % loss in bursts of 5 packets in the mean, and some of more than 10',
  { skip },
  async () => {
    const figures = await watchThrough('bursts', ['--burst-loss', '2%:5']);
    assert.ok(figures.decodedShare >= 0.985, `${figures.decodedShare} of the frames decoded`);
  },
);

const ROUGH = '--loss 10% --jitter 30ms --reorder 2% --reorder-by 20ms'.split(' ');

test('10 % random loss with 30 ms of jitter, and reordering', { skip }, async () => {
  const figures = await watchThrough('jitter', ROUGH);
  assert.ok(figures.decodedShare >= 0.9, `${figures.decodedShare} of the frames decoded`);
  assert.ok(figures.concealedShare < 0.03, `${figures.concealedShare} of the sound made up`);
});

test(
  'the same to a page that asks for lost sound again, as ours do where the browser takes no copies',
  { skip },
  async () => {
    const figures = await watchThrough('sound', ROUGH, { soundNack: true });
    assert.ok(figures.decodedShare >= 0.9, `${figures.decodedShare} of the frames decoded`);
    assert.ok(figures.concealedShare < 0.03, `${figures.concealedShare} of the sound made up`);
  },
);

const FAR = [...ROUGH, '--delay', '100ms'];

/** For comparison, nothing is asserted: without copies of sound (RFC 2198), and at a round trip of 200 ms. */
for (const [name, conditions, sound] of [
  ['without-copies', ROUGH, { soundRed: false }],
  ['far', FAR, {}],
  ['far-asking', FAR, { soundNack: true }],
  ['far-asking-without-copies', FAR, { soundRed: false, soundNack: true }],
]) {
  test(`the same for comparison: ${name}`, { skip }, () =>
    watchThrough(`sound-${name}`, conditions, sound),
  );
}

test('20 % loss on the publisher’s way up for 10 s', { skip }, async () => {
  const { spillway, link, bench, openFar } = parts.setup;
  const near = await launchChromium();
  try {
    const publisher = await openFar();
    const token = await spillway.token('publish', 'uplink');
    const url = spillway.url('/whip/uplink');
    await publishFrom(publisher, {
      url,
      token,
      codec: 'VP8',
      width: 640,
      height: 360,
      bitrate: 8e5,
    });
    const page = await openBench(near, bench);
    await viewIn(page, { url: spillway.url('/whep/uplink') });
    await assertPlays(page);
    await sleep(5_000);
    const began = await link.change('--back-loss', '20%');
    await sleep(UPLINK_LOSS_MS);
    const ended = await link.change('--back-loss', '0%');
    await sleep(8_000);
    const frames = await page.evaluate(() => window.viewer.frames);
    const figures = uplinkFigures(frames, began, ended);
    report(`${parts.test}-uplink`, figures);
    assert.ok(figures.recoveredMs <= RECOVERY_MS, `recovered after ${figures.recoveredMs} ms`);
    await closeSession(publisher, 'publisher');
  } finally {
    await near.close();
  }
});

/** Recovered is when the last gap ended that a viewer would notice. */
function uplinkFigures(frames, began, ended) {
  const after = gaps(frames, ended).filter(({ ms }) => ms > 200);
  const recovered = Math.max(ended, ...after.map(({ at, ms }) => at + ms));
  const during = frames.filter(({ unixMs }) => unixMs > began && unixMs < ended);
  return {
    recoveredMs: recovered - ended,
    framesPerSecondDuring: (during.length * 1000) / (ended - began),
    longestGapDuringMs: gaps(frames, began, ended)[0]?.ms,
    longestGapAfterMs: gaps(frames, ended)[0]?.ms,
    width: frames.at(-1).width,
  };
}
