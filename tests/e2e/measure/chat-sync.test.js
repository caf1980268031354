import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { report } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { launchChromium } from '../lib/chromium.js';
import { beginPlayback, watchPlayback } from '../lib/playback.js';
import { Spillway } from '../lib/spillway.js';
import { sleep, until } from '../lib/wait.js';

const TEST = 'chat-sync';
const NODE = {
  test: TEST,
  args: ['--demo'],
  env: { SPILLWAY_CHAT_AUTHOR_RATE: '10' },
  hls: true,
};
/** Parts so long that players of LL-HLS are three seconds behind; who pauses for another is four, and catches up slowly. */
const FAR_BEHIND = '[hls]\nargs = ["--part", "1s", "--segment", "4s"]\n';
/** A message is shown within so long of the frame that its author saw. */
const NEAR_MS = 200;
/** What a picture is up for: the frame that is seen may be the one before. */
const FRAME_MS = 40;
const MESSAGES = 12;
const SETTLE_MS = 8_000;
const PAUSE_MS = 1_100;

let chromium;
before(async () => {
  chromium = await launchChromium();
});
after(() => chromium?.close());

/** Notes when each line of the chat appears, in Unix milliseconds. */
function noteLines() {
  window.linesAt = {};
  new MutationObserver(() => {
    for (const line of document.querySelectorAll('#chat [data-seq]')) {
      window.linesAt[line.dataset.seq] ??= performance.timeOrigin + performance.now();
    }
  }).observe(document, { childList: true, subtree: true });
}

async function watch(spillway, player) {
  const page = await (await chromium.newContext({ bypassCSP: true })).newPage();
  await watchPlayback(page);
  await page.addInitScript(noteLines);
  await page.goto(spillway.url(`/watch/demo?player=${player}`));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
  await page.waitForSelector('#chat textarea:not([disabled])', { timeout: 20_000 });
  await beginPlayback(page);
  return page;
}

/** Of each line, in the order in which they appeared: by how much the picture was then ahead of what is given, in milliseconds. */
async function aheads(page, ats, startedAt) {
  const { lines, pictures } = await page.evaluate(() => ({
    lines: window.linesAt,
    pictures: window.playback.pictures,
  }));
  const ahead = Object.entries(lines).flatMap(([seq, shown]) => {
    if (!ats.has(Number(seq))) return [];
    const picture = pictures.findLast((picture) => picture.at <= shown + FRAME_MS);
    const streamTime = picture.timecode + (shown - picture.at) - startedAt;
    return [{ seq: Number(seq), shown, ahead: Math.round(streamTime - ats.get(Number(seq))) }];
  });
  return ahead.sort((a, b) => a.shown - b.shown || a.seq - b.seq);
}

async function pause(page) {
  await page.evaluate(() => document.querySelector('video').pause());
  await sleep(PAUSE_MS);
  await page.evaluate(() => document.querySelector('video').play());
}

/** A node that plays its demo to two pages, and somebody who writes what `at` says was seen, `now` being the stream time. */
async function converse(options, at) {
  const spillway = await Spillway.start({ ...NODE, ...options });
  try {
    const bot = await Chatter.join(spillway, 'demo', { name: 'Bot' });
    const { broadcast } = await bot.until('a broadcast', () =>
      bot.received.findLast(({ broadcast }) => broadcast),
    );
    const { started_at: startedAt } = broadcast;
    const pages = { webrtc: await watch(spillway, 'webrtc'), hls: await watch(spillway, 'hls') };
    await sleep(SETTLE_MS);
    if (options.config === FAR_BEHIND) await pause(pages.hls);
    for (let n = 0; n < MESSAGES; n++) {
      bot.write(`m${n}`, `message ${n}`, at(Date.now() - startedAt, n));
      await sleep(400);
    }
    const seen = {};
    const entries = await bot.until('all messages', () => {
      const messages = bot.received.filter(({ type }) => type === 'message');
      return messages.length === MESSAGES && messages;
    });
    // What a message waits for: the latest that anybody saw up to it.
    let latest = 0;
    const ats = new Map(entries.map(({ seq, at }) => [seq, (latest = Math.max(latest, at))]));
    for (const [name, page] of Object.entries(pages)) {
      const all = () => page.evaluate(() => Object.keys(window.linesAt).length);
      await until(`all of it over ${name}`, async () => (await all()) >= MESSAGES, {
        timeout: 20_000,
      });
      seen[name] = await aheads(page, ats, startedAt);
      await page.context().close();
    }
    bot.close();
    const behindMs = Object.entries(seen).map(([name, lines]) => {
      const late = lines.map(
        ({ seq, shown }) => shown - entries.find((entry) => entry.seq === seq).time,
      );
      return [name, late.map(Math.round)];
    });
    return { seen, behindMs: Object.fromEntries(behindMs) };
  } finally {
    await spillway.stop();
  }
}

/** All in order, none before its frame, and each within `most` of it. */
function assertInStep(seen, most) {
  for (const [name, lines] of Object.entries(seen)) {
    const numbers = lines.map(({ seq }) => seq);
    assert.equal(lines.length, MESSAGES, `${name} lacks messages`);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `${name} shows them in another order`,
    );
    const ahead = lines.map(({ ahead }) => ahead);
    assert.ok(
      ahead.every((ms) => ms >= -FRAME_MS && ms <= most + FRAME_MS),
      `${name}: ${ahead}`,
    );
  }
}

const brief = ({ seen, behindMs }) => ({
  aheadMs: Object.fromEntries(
    Object.entries(seen).map(([name, lines]) => [name, lines.map(({ ahead }) => ahead)]),
  ),
  behindMs,
});

for (const [name, options] of [
  ['near live', {}],
  ['four seconds behind', { config: FAR_BEHIND }],
])
  test(`a message is shown with the frame that its author saw, over WebRTC and LL-HLS ${name}`, async () => {
    const said = await converse(options, (now) => now);
    report(TEST, { name, ...brief(said) });
    assertInStep(said.seen, NEAR_MS);
    if (options.config !== undefined)
      assert.ok(
        said.behindMs.hls.every((ms) => ms > 3_500),
        `${said.behindMs.hls} ms behind`,
      );
  });

test('authors at different places: all in one order, none before its frame', async () => {
  const said = await converse({ config: FAR_BEHIND }, (now, n) => now - (n % 3) * 1_500);
  report(TEST, { name: 'mixed', ...brief(said) });
  // One that was written of an earlier picture is late by what its author was behind.
  assertInStep(said.seen, NEAR_MS + 3_000);
});
