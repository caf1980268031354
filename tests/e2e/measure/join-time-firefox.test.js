import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { report } from '../lib/artifacts.js';
import { launchFirefox, openFirefoxBench } from '../lib/firefox.js';
import { harness } from '../lib/harness.js';
import { publishFrom, viewIn } from '../lib/viewing.js';
import { quantile, sleep, until } from '../lib/wait.js';

const JOINS = Number(process.env.JOINS ?? 10);
/** A shown frame this young is at the live edge. */
const LIVE_MS = 250;
const parts = harness('join-time-firefox');
let firefox;

before(async () => {
  firefox = await launchFirefox();
});

after(async () => {
  await firefox?.close();
});

test('Firefox joins VP8 and is at the live edge within 1.5 s', async () => {
  const { spillway } = parts;
  const publisher = await parts.openBench();
  const token = await spillway.token('publish', 'fox');
  await publishFrom(publisher, { url: spillway.url('/whip/fox'), token, codec: 'VP8' });
  await sleep(3_000);
  const page = await openFirefoxBench(firefox, parts.bench);
  const edges = [];
  for (let join = 0; join < JOINS; join++) {
    await sleep(Math.random() * 1_500);
    edges.push(await joinOnce(page, spillway.url('/whep/fox')));
  }
  report(parts.test, {
    liveEdgeMs: edges.map(Math.round),
    median: Math.round(quantile(edges, 0.5)),
  });
  assert.ok(Math.max(...edges) <= 1_500, `at the live edge after ${edges.map(Math.round)} ms`);
});

/** Milliseconds from the POST to the first frame from which on all are live. */
async function joinOnce(page, url) {
  await viewIn(page, { url });
  await until('a frame', () => page.evaluate(() => window.viewer.frames.length > 0), {
    interval: 20,
  });
  await sleep(2_500);
  const { postedAt, frames } = await page.evaluate(() => ({
    postedAt: window.viewer.postedAt,
    frames: window.viewer.frames,
  }));
  await page.evaluate(async () => {
    await window.viewer.close();
    window.viewer.element.remove();
  });
  const dated = frames.filter(({ timecode }) => timecode !== null);
  const late = dated.findLastIndex(({ timecode, unixMs }) => unixMs - timecode > LIVE_MS);
  return (dated[late + 1]?.at ?? Infinity) - postedAt;
}
