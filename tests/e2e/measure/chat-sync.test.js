import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { harness } from '../lib/harness.js';
import { beginPlayback, watchPlayback } from '../lib/playback.js';
import { sleep, until } from '../lib/wait.js';

const parts = harness('chat-sync', {
  args: ['--demo'],
  env: { SPILLWAY_CHAT_AUTHOR_RATE: '10' },
  hls: true,
});
/** A message is shown within so long of the frame that its author saw. */
const NEAR_MS = 200;
/** What a picture is up for: the frame that is seen may be the one before. */
const FRAME_MS = 40;
const MESSAGES = 12;
const SETTLE_MS = 8_000;

/** Notes when each line of the chat appears, in Unix milliseconds. */
function noteLines() {
  window.linesAt = {};
  new MutationObserver(() => {
    for (const line of document.querySelectorAll('#chat [data-seq]')) {
      window.linesAt[line.dataset.seq] ??= performance.timeOrigin + performance.now();
    }
  }).observe(document, { childList: true, subtree: true });
}

async function watch(player) {
  const page = await (await parts.chromium.newContext({ bypassCSP: true })).newPage();
  await watchPlayback(page);
  await page.addInitScript(noteLines);
  await page.goto(parts.spillway.url(`/watch/demo?player=${player}`));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
  await page.waitForSelector('#chat textarea:not([disabled])', { timeout: 20_000 });
  await beginPlayback(page);
  return page;
}

/** For each line, by how much the picture was ahead of what its author saw, in milliseconds, when it appeared. */
async function aheads(page, entries, startedAt) {
  const { lines, pictures } = await page.evaluate(() => ({
    lines: window.linesAt,
    pictures: window.playback.pictures,
  }));
  return entries.flatMap(({ seq, at }) => {
    const shown = lines[seq];
    if (shown === undefined) return [];
    const picture = pictures.findLast((picture) => picture.at <= shown + FRAME_MS);
    return [Math.round(picture.timecode + (shown - picture.at) - startedAt - at)];
  });
}

test('a message is shown with the frame that its author saw, over WebRTC and LL-HLS', async () => {
  const { spillway } = parts;
  const bot = await Chatter.join(spillway, 'demo', { name: 'Bot' });
  await until(
    'the demo is on air',
    async () =>
      (await bot.received.find(({ type }) => type === 'welcome'))?.broadcast ??
      bot.received.find(({ type, broadcast }) => type === 'broadcast' && broadcast),
  );
  const startedAt = bot.received.findLast(({ broadcast }) => broadcast)?.broadcast.started_at;
  const pages = {
    near: await watch('webrtc'),
    hls: await watch('hls'),
  };
  await sleep(SETTLE_MS);
  for (let n = 0; n < MESSAGES; n++) {
    bot.write(`m${n}`, `message ${n}`, Date.now() - startedAt);
    await sleep(400);
  }
  await bot.next('message', { id: `m${MESSAGES - 1}` });
  const entries = bot.received.filter(({ type }) => type === 'message');
  await sleep(6_000);
  const seen = {};
  for (const [name, page] of Object.entries(pages))
    seen[name] = await aheads(page, entries, startedAt);
  const behindMs = {};
  for (const [name, page] of Object.entries(pages)) {
    const lines = await page.evaluate(() => window.linesAt);
    behindMs[name] = entries.map(({ seq, time }) => Math.round(lines[seq] - time));
  }
  report(parts.test, { seen, behindMs });
  for (const [name, ahead] of Object.entries(seen)) {
    assert.equal(ahead.length, MESSAGES, `${name} lacks messages`);
    // The node's own way to those who are live takes up to a tenth of a second; nobody sees a message before its frame.
    assert.ok(
      ahead.every((ms) => ms >= -FRAME_MS && ms <= NEAR_MS + FRAME_MS),
      `${name}: ${ahead}`,
    );
  }
  bot.close();
});
