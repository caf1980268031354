import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { DONORS, donate } from '../lib/donors.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { sidecarOf } from '../lib/sidecar-process.js';
import { sleep, until } from '../lib/wait.js';

/** A broadcast that is talked in, recorded by the real sidecar; then its page, which replays what was said. */
const parts = harness('vod-chat', {
  hls: true,
  env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '2s' },
  config: DONORS,
});
/** Between what was sent when something was said and the picture beside which it's shown. */
const NEAR_MS = 300;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const TIMECODES = path.join(import.meta.dirname, '../lib/browser/timecode.js');
const CHANNEL = 'show';
let obs;
let broadcast;

const get = async (pathname) => (await fetch(parts.spillway.url(pathname))).json();
const said = () => get(`/api/v1/broadcasts/${broadcast}/chat?limit=200`);
const recorded = () => get(`/api/v1/recordings/${broadcast}`);

async function open(viewport = DESKTOP) {
  const page = await (await parts.chromium.newContext({ viewport })).newPage();
  const reader = (await fs.readFile(TIMECODES, 'utf8')).replaceAll('export ', '');
  await page.addInitScript({ content: `${reader}; window.timecodes = new TimecodeReader();` });
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(parts.spillway.url(`/vod/${broadcast}`));
  await until('it plays', () => page.evaluate(isPlaying), { timeout: 20_000 }).catch(
    async (error) => {
      const state = JSON.stringify(await page.evaluate(stateOf));
      throw new Error(`${error.message}: ${state}; ${page.errors.join()}`);
    },
  );
  return page;
}

/** In the page. */
const isPlaying = () => window.spillway.media.currentTime > 0.3 && window.spillway.chat;

/** In the page: what there is to say of one that doesn't play. */
function stateOf() {
  const { currentTime, paused, seeking, readyState, networkState, error, buffered } =
    document.getElementById('video');
  const ranges = Array.from({ length: buffered.length }, (_, i) => [
    buffered.start(i),
    buffered.end(i),
  ]);
  const requests = performance
    .getEntriesByType('resource')
    .map(({ name, duration, responseStatus }) => {
      return `${new URL(name).pathname.split('/').slice(-2).join('/')} ${responseStatus} ${duration | 0} ms`;
    });
  const text = document.body.innerText.slice(0, 300);
  const element = { currentTime, paused, seeking, readyState, networkState, ranges };
  return { ...element, error: error?.message, chat: Boolean(window.spillway.chat), text, requests };
}

/** What is to be seen, a line an entry, and of which moment. */
const shown = (page) =>
  page.evaluate(() => ({
    lines: [...document.querySelectorAll('#chat [data-seq]')].map((line) => line.innerText.trim()),
    at: window.spillway.chat.pictureTime,
  }));

const shows = (page, text) =>
  until(`“${text}” is shown`, async () =>
    (await shown(page)).lines.some((line) => line.includes(text)),
  );

/** Goes to a moment of the broadcast, paused, and gives what is shown there. */
async function seek(page, streamTime) {
  await page.evaluate((to) => {
    const video = document.getElementById('video');
    video.pause();
    // Where something is missing in between it takes more than a step.
    for (let step = 0; step < 5; step++) {
      const off = to - window.spillway.chat.pictureTime;
      if (Math.abs(off) > 1) video.currentTime += off / 1_000;
    }
  }, streamTime);
  await page.waitForFunction(() => !document.getElementById('video').seeking);
  await sleep(300);
  const { lines, at } = await shown(page);
  assert.ok(Math.abs(at - streamTime) < NEAR_MS, `at ${at} instead of ${streamTime} ms`);
  return lines;
}

/** How much of the broadcast isn't in the recording before what is shown, in milliseconds. */
const missing = (page) =>
  page.evaluate(() => window.spillway.chat.pictureTime - window.spillway.media.currentTime * 1_000);

/** How much later than the picture that is shown the publisher sent what it did when the entry was written. */
async function aheadOf(page, { time }) {
  const timecode = await page.evaluate(() =>
    window.timecodes.read(document.getElementById('video')),
  );
  assert.notEqual(timecode, null, 'the picture has a timecode');
  return obs.age(timecode, time);
}

/** Kills the sidecar, so that something is missing in the recording, and waits until what is said then is well behind that. */
async function loseSome() {
  process.kill(await sidecarOf(parts.spillway.pid), 'SIGKILL');
  // What it tells of its duration is some seconds old.
  const onlooker = await Chatter.join(parts.spillway, CHANNEL);
  const { now } = (await onlooker.next('welcome')).broadcast;
  onlooker.close();
  await until('it goes on', async () => (await recorded()).duration_ms > now + 4_000, {
    timeout: 30_000,
  });
}

test('a broadcast is recorded in which somebody talks', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', CHANNEL);
  obs = await ObsPublisher.start({ url: spillway.url(`/whip/${CHANNEL}`), token, gop: 2 });
  await until(
    'it’s recorded',
    async () => (await get(`/api/v1/channels/${CHANNEL}/recordings`)).items[0]?.playlist,
    { timeout: 30_000 },
  );
  const ada = await Chatter.join(spillway, CHANNEL, { name: 'Ada' });
  const welcome = await ada.next('welcome');
  broadcast = welcome.broadcast.id;
  // There's something before anybody said anything.
  await sleep(3_000);
  for (const [id, text] of [
    ['a1', 'good evening'],
    ['a2', 'taken back later'],
    ['a3', 'and what is that?'],
  ]) {
    ada.write(id, text);
    await ada.next('message', { id });
    await sleep(3_000);
    if (id === 'a2') await loseSome();
  }
  const { seq } = await ada.next('message', { id: 'a2' });
  ada.send({ type: 'moderate', id: 'm1', action: { kind: 'delete', seq } });
  await ada.next('action');
  const members = { name: 'Grace', amount: 500, text: 'bravo' };
  assert.equal((await donate(parts.spillway, CHANNEL, 'pay-1', members)).status, 201);
  await ada.next('event');
  await sleep(4_000);
  ada.close();
});

test('while the broadcast is on, its chat is replayed, and what comes meanwhile too', async () => {
  const page = await open();
  await shows(page, 'good evening');
  const bob = await Chatter.join(parts.spillway, CHANNEL, { name: 'Bob' });
  await bob.next('welcome');
  bob.write('b1', 'late to the party');
  const { at } = await bob.next('message', { id: 'b1' });
  // The page asks every 5 s, and its picture has yet to get there.
  await until(
    'it is known',
    async () => (await page.evaluate(() => window.spillway.chat.entries)) >= 6,
  );
  assert.ok(
    !(await shown(page)).lines.some((line) => line.includes('late')),
    'not before its time',
  );
  await page.waitForFunction((to) => window.spillway.chat.pictureTime >= to, at, {
    timeout: 60_000,
  });
  await shows(page, 'late to the party');
  assert.deepEqual(page.errors, []);
  bob.close();
  await page.context().close();
});

test('the recording shows what was said when it was said, forwards and back', async () => {
  await obs.stop();
  await until('it’s finished', async () => (await recorded()).state === 'ready', {
    timeout: 60_000,
    interval: 500,
  });
  const { items } = await said();
  const entry = (id) => items.find((each) => each.id === id);
  const at = (id) => entry(id).at;
  const page = await open();
  await page.waitForSelector('#chat .chat-head');
  assert.equal(await page.getAttribute('#chat .chat-lines', 'role'), 'log');
  assert.equal(await page.locator('#chat textarea').count(), 0, 'to be read only');

  assert.deepEqual(await seek(page, at('a1') - 1_000), []);
  assert.match(await page.textContent('#chat .chat-status'), /Nothing/);
  assert.deepEqual(await seek(page, at('a1') + 1_000), ['Ada: good evening']);
  assert.deepEqual(await seek(page, at('a3') - 1_000), ['Ada: good evening']);
  const both = ['Ada: good evening', 'Ada: and what is that?'];
  assert.deepEqual(await seek(page, at('a3') + 1_000), both, 'nothing that was taken back');
  for (const id of ['a3', 'a1']) {
    await seek(page, at(id));
    const ahead = await aheadOf(page, entry(id));
    // The recording's own time isn't that of the broadcast any more.
    if (id === 'a3') assert.ok((await missing(page)) > 2 * NEAR_MS, 'something is missing');
    assert.ok(Math.abs(ahead) < NEAR_MS, `${id} is shown ${ahead} ms before its picture`);
    console.log(`${id} is shown ${ahead} ms before the picture that was sent then`);
  }
  const gift = items.find(({ type }) => type === 'event');
  const late = await seek(page, gift.at + 1_000);
  assert.match(late.at(-1), /Grace.*€5\.00.*bravo/s);
  assert.equal(await page.locator('#chat .chat-card.donation').count(), 1);
  await page.screenshot({ path: artifact(parts.test, 'desktop.png') });
  assert.deepEqual(await seek(page, at('a1') + 1_000), ['Ada: good evening'], 'back again');

  await page.evaluate(() => document.getElementById('video').play());
  await shows(page, 'and what is that?');
  const { at: then } = await shown(page);
  assert.ok(then >= at('a3') && then < at('a3') + 2_000, `${then} ms, said at ${at('a3')}`);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('a picture that is paused is found beside what is missing, too', async () => {
  const page = await open();
  const stuck = await page.evaluate(async () => {
    const video = document.getElementById('video');
    video.pause();
    const settles = async (to) => {
      const from = performance.now();
      video.currentTime = to;
      do await new Promise((resolve) => setTimeout(resolve, 20));
      while (video.seeking && performance.now() < from + 5_000);
      return !video.seeking;
    };
    for (let at = 0; at < video.duration; at += 2) if (!(await settles(at))) return [at];
    if (video.buffered.length < 2) return ['no hole'];
    const [end, begin] = [video.buffered.end(0), video.buffered.start(1)];
    const failed = [];
    for (let at = end - 0.6; at < begin + 0.1; at += 0.05)
      if (!(await settles(at))) failed.push(at);
    return failed;
  });
  assert.deepEqual(stuck, []);
  await page.context().close();
});

test('it’s under the picture on a phone, and can be hidden, which is remembered', async () => {
  const page = await open(PHONE);
  await page.waitForSelector('#chat .chat-head');
  const [player, chat] = [
    await page.locator('#player').boundingBox(),
    await page.locator('#chat').boundingBox(),
  ];
  assert.ok(chat.y >= player.y + player.height - 1, 'under the picture');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px wide`);
  await shows(page, 'good evening');
  await page.screenshot({ path: artifact(parts.test, 'phone.png') });
  await page.click('#chat-toggle');
  assert.equal(await page.isVisible('#chat'), false);
  await page.reload();
  await page.waitForSelector('#chat-toggle:has-text("Show chat")');
  assert.equal(await page.isVisible('#chat'), false);
  await page.click('#chat-toggle');
  await shows(page, 'good evening');
  await page.context().close();
});
