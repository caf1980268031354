import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { assertPlays, closeSession, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

const NAME = 'join-slow-link';
const JOINS = Number(process.env.SLOW_JOINS ?? 6);
const WATCH_MS = 6_000;
const MAX_LOSS = 0.02;
const MAX_GAP_MS = 1_000;
const CONDITIONS = ['--rate', '6mbit', '--delay', '20ms', '--queue', '300ms', '--seed', '1'];

const parts = linkHarness(NAME, CONDITIONS);

test(
  'joins over a 6 Mbit/s, 40 ms link lose little and leave the other viewer alone',
  { skip },
  async (t) => {
    const { spillway, openFar } = parts.setup;
    const token = await spillway.token('publish', 'slow');
    const obs = await ObsPublisher.start({ url: spillway.url('/whip/slow'), token });
    t.after(() => obs.stop());
    const steady = await openFar();
    await viewIn(steady, { url: spillway.url('/whep/slow') });
    await assertPlays(steady);
    // Its own join may have to wait for a keyframe yet.
    await until('the other viewer is at the live edge', () => flows(steady), { interval: 200 });
    const joins = [];
    for (let join = 0; join < JOINS; join++) {
      await sleep(Math.random() * 2_000);
      const before = await steady.evaluate(() => window.viewer.frames.length);
      const page = await openFar();
      await viewIn(page, { url: spillway.url('/whep/slow') });
      await sleep(WATCH_MS);
      joins.push({ ...(await joiner(page)), otherGapMs: await longestGap(steady, before) });
      await closeSession(page, 'viewer');
      await page.context().close();
    }
    report(NAME, { joins });
    for (const join of joins) {
      assert.ok(join.loss <= MAX_LOSS, `a join lost ${join.loss}`);
      assert.ok(
        Number.isFinite(join.otherGapMs) && join.otherGapMs <= MAX_GAP_MS,
        `the other viewer's picture stood for ${join.otherGapMs} ms`,
      );
      assert.ok(join.frames > 0, 'the join gets a picture');
    }
  },
);

/** Whether pictures have been coming at their pace for two seconds. */
function flows(page) {
  return page.evaluate(() => {
    const since = performance.now() - 2_000;
    const late = window.viewer.frames.filter(({ at }) => at > since);
    return late.length >= 50 && late.length <= 70;
  });
}

async function joiner(page) {
  return page.evaluate(async () => {
    const { packetsReceived, packetsLost, framesDecoded } = await window.viewer.inbound('video');
    const { postedAt, frames } = window.viewer;
    return {
      loss: packetsLost / (packetsLost + packetsReceived),
      frames: framesDecoded,
      firstFrameMs: Math.round((frames[0]?.at ?? Infinity) - postedAt),
    };
  });
}

/** The longest time between two shown frames since the frame with this number. */
function longestGap(page, since) {
  return page.evaluate((first) => {
    const times = window.viewer.frames.slice(Math.max(0, first - 1)).map(({ at }) => at);
    return Math.round(Math.max(...times.slice(1).map((at, i) => at - times[i])));
  }, since);
}
