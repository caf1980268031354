import assert from 'node:assert/strict';
import test, { afterEach } from 'node:test';
import { artifact, report } from '../lib/artifacts.js';
import {
  gapsAroundSwitch,
  gapsBetween,
  listen,
  pageNow,
  watchContinuity,
} from '../lib/continuity.js';
import { harness } from '../lib/harness.js';
import { closeSession, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

// One place for a browser: the sidecar takes none.
const parts = harness('handover', {
  args: ['--demo'],
  // A single size, since the encoder shares the machine with what is measured.
  env: { SPILLWAY_LIMITS_VIEWERS: '1', SPILLWAY_HLS_ARGS: '--renditions,360' },
  hls: true,
});

/**
 * The longest that picture or sound may be missed when a player takes another one's place: on a machine that does nothing else, or
 * on any. A player that isn't ready when the other one goes takes seconds.
 */
const MAX_GAP_MS = process.env.SPILLWAY_IDLE_MACHINE === undefined ? 800 : 200;
/** A page asks for WebRTC 15 to 25 s after it was refused, since it's told to wait for 5 s; then it takes its time. */
const RETURN_MS = 60_000;

const figures = {};

// Who is left over from a test that failed would take the place of the next one's viewer.
afterEach(async () => {
  for (const context of parts.chromium.contexts()) await context.close();
});

async function openWatch() {
  const page = await (await parts.chromium.newContext({ bypassCSP: true })).newPage();
  page.on('pageerror', (error) => console.log('page error:', error.message));
  await watchContinuity(page);
  await page.goto(parts.spillway.url('/watch/demo'));
  return page;
}

const plays = (page, player, timeout = 30_000) =>
  page.waitForSelector(`html[data-player="${player}"][data-state="playing"]`, { timeout });

/** Keeps how the page looks, with its controls. */
async function keep(page, name) {
  await page.mouse.move(300 + Math.random() * 50, 300);
  await sleep(400);
  await page.screenshot({ path: artifact(parts.test, `${name}.png`) });
}

const goingOf = (page) => page.textContent('#going');

/** The one viewer whom the node has room for. */
async function takePlace() {
  const bench = await parts.openBench();
  await until('there is room', async () => {
    try {
      await viewIn(bench, { url: parts.spillway.url('/whep/demo') });
      return true;
    } catch {
      return false;
    }
  });
  return {
    leave: async () => {
      await closeSession(bench, 'viewer');
      await bench.context().close();
    },
  };
}

/** A page that plays LL-HLS since the node is full, with its sound observed. */
async function spilledPage() {
  await until('the sidecar has the demo', async () => {
    const answer = await fetch(parts.spillway.url('/hls/demo/index.m3u8'));
    return answer.ok;
  });
  const other = await takePlace();
  const page = await openWatch();
  await plays(page, 'hls');
  await listen(page);
  await sleep(2_000);
  return { page, other };
}

const settings = (page) =>
  page.evaluate(() => {
    const { muted, volume, paused } = document.getElementById('video');
    return { muted, volume, paused, isFull: document.fullscreenElement?.id ?? null };
  });

function assertSeamless(name, { freeze, silence, pictures }) {
  console.log(
    `${name}: ${freeze.ms} ms without a new picture, ${freeze.at} ms from the switch; ` +
      `${silence.ms} ms of silence, ${silence.at} ms from it`,
  );
  Object.assign(figures, { [name]: { freeze, silence, pictures } });
  report(parts.test, figures);
  assert.ok(pictures > 30, `${pictures} pictures`);
  assert.ok(freeze.ms <= MAX_GAP_MS, `${name}: the picture stood still for ${freeze.ms} ms`);
  assert.ok(silence.ms <= MAX_GAP_MS, `${name}: silence for ${silence.ms} ms`);
}

test('a viewer goes to LL-HLS where there is no room, and comes back by themselves when there is', async () => {
  const { page, other } = await spilledPage();
  assert.match(await goingOf(page), /no room/);
  await page.waitForFunction(() =>
    /s behind live/.test(document.getElementById('latency').textContent),
  );
  await page.evaluate(() => document.getElementById('player').requestFullscreen());
  await page.fill('#volume', '40');
  await keep(page, '1-full');
  const before = await settings(page);
  assert.deepEqual(before, { muted: false, volume: 0.4, paused: false, isFull: 'player' });

  await other.leave();
  await plays(page, 'webrtc', RETURN_MS);
  await sleep(3_500);
  assertSeamless('return', await gapsAroundSwitch(page));
  await keep(page, '2-returned');
  assert.deepEqual(await settings(page), before, 'sound and full screen are as they were');
  assert.equal(await goingOf(page), '');

  // A node that sends its viewers away: there's no room where it sends them, since it's here.
  await page.evaluate(() => {
    const event = new MessageEvent('reconnect', { data: JSON.stringify({ url: '/whep/demo' }) });
    window.continuity.eventSources.at(-1).dispatchEvent(event);
  });
  await plays(page, 'hls');
  await sleep(3_500);
  assertSeamless('sent away', await gapsAroundSwitch(page));
  await keep(page, '3-sent-away');
  assert.deepEqual(await settings(page), before);
});

test('a viewer whose session is ended, and whose place is taken, goes on with LL-HLS', async () => {
  const page = await openWatch();
  await plays(page, 'webrtc', RETURN_MS);
  await listen(page);
  await sleep(2_000);
  let open;
  const isTaken = new Promise((resolve) => (open = resolve));
  await page.route('**/whep/demo', async (route) => {
    await isTaken;
    await route.continue();
  });
  const { items } = await (await parts.spillway.api('/api/v1/sessions?channel=demo')).json();
  const viewers = items.filter(({ role }) => role === 'viewer');
  const mine = viewers.sort((a, b) => a.since - b.since).at(-1);
  const kicked = await parts.spillway.api(`/api/v1/sessions/${mine.id}`, { method: 'DELETE' });
  assert.equal(kicked.status, 204);
  const other = await takePlace();
  const from = await pageNow(page);
  open();
  await plays(page, 'hls');
  await sleep(2_000);
  // What the node has cut off is missed until LL-HLS plays, which nothing could have prepared. Counted from the refusal, since the
  // test itself makes the page wait for that.
  const { freeze, silence } = await gapsBetween(page, from, await pageNow(page));
  console.log(`kicked: ${freeze.ms} ms without a new picture, ${silence.ms} ms of silence`);
  Object.assign(figures, { kicked: { freeze, silence } });
  report(parts.test, figures);
  assert.ok(freeze.ms < 6_000, `the picture stood still for ${freeze.ms} ms`);
  await keep(page, '4-kicked');
  await other.leave();
});

test('a viewer who chooses LL-HLS stays there, and goes to WebRTC when that is chosen', async () => {
  const page = await openWatch();
  await plays(page, 'webrtc', RETURN_MS);
  await page.mouse.move(300, 300);
  await page.click('#players [data-player=hls]');
  await plays(page, 'hls');
  assert.match(page.url(), /player=hls/);
  await sleep(30_000);
  assert.equal(await page.getAttribute('html', 'data-player'), 'hls');
  await keep(page, '5-chosen');
  await page.mouse.move(320, 300);
  await page.click('#players [data-player=webrtc]');
  await plays(page, 'webrtc');
  assert.doesNotMatch(page.url(), /player=/);
});
