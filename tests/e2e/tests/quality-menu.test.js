import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { closeSession, publishFrom } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', maxBitrate: 1_500_000 },
];
const NAMES = ['720p', '360p', '180p'];
const SLOW = { timeout: 60_000, interval: 250 };
const parts = harness('quality-menu', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '3s' } });

async function openWatch(channel, viewport) {
  const page = await (await parts.chromium.newContext({ viewport })).newPage();
  page.polls = 0;
  page.on('request', (request) => {
    if (request.url().includes('/api/v1/live')) page.polls += 1;
  });
  await page.goto(parts.spillway.url(`/watch/${channel}`));
  return page;
}

const view = (page) =>
  page.evaluate(() => {
    const { quality, viewers, state } = window.spillway;
    const { videoWidth } = document.querySelector('video');
    return { ...quality, viewers, state: state.name, videoWidth };
  });

const plays = (page, width) =>
  until(`${width} columns`, async () => (await view(page)).videoWidth === width, SLOW);

async function publish(channel, { codec = 'VP8', encodings = LAYERS } = {}) {
  const publisher = await parts.openBench();
  await publishFrom(publisher, {
    url: parts.spillway.url(`/whip/${channel}`),
    token: await parts.spillway.token('publish', channel),
    codec,
    encodings,
  });
  return publisher;
}

const lists = (page) =>
  until(
    'all layers are listed',
    async () => (await view(page)).names.join() === NAMES.join(),
    SLOW,
  );

async function pick(page, name) {
  await page.click('#quality-button');
  await page.click(`.menu-item:has-text("${name}")`);
}

test('the menu lists the layers, picks one, and goes back to automatic', async () => {
  const publisher = await publish('menu');
  const page = await openWatch('menu', { width: 1280, height: 860 });
  await plays(page, 1280);
  await lists(page);
  assert.equal((await view(page)).now, 'Auto (720p)');
  await page.click('#quality-button');
  await page.waitForTimeout(400); // The controls come up slowly.
  await page.screenshot({ path: artifact(parts.test, 'menu.png') });
  await page.click('.menu-item:has-text("180p")');
  await plays(page, 320);
  assert.equal((await view(page)).now, '180p');

  // Kept for the next visit, and reachable by keys alone.
  await page.reload();
  await plays(page, 320);
  await until('it is chosen', async () => (await view(page)).chosen === '180p', SLOW);
  await page.keyboard.press('q');
  assert.equal(await page.evaluate(() => document.activeElement.innerText.slice(0, 4)), '180p');
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'quality-button');
  await plays(page, 1280);
  await until('it says so', async () => (await view(page)).now === 'Auto (720p)', SLOW);

  const phone = await openWatch('menu', { width: 390, height: 760 });
  await plays(phone, 1280);
  await phone.click('#quality-button');
  await phone.screenshot({ path: artifact(parts.test, 'menu-phone.png') });
  await phone.context().close();
  await closeSession(publisher, 'publisher');
});

for (const codec of ['VP9', 'AV1']) {
  test(`the sizes of ${codec} in one encoding are in the menu as well`, async () => {
    const channel = `sizes-${codec}`;
    const encodings = [{ scalabilityMode: 'L3T3_KEY', maxBitrate: 1_500_000 }];
    const publisher = await publish(channel, { codec, encodings });
    const page = await openWatch(channel);
    await plays(page, 1280);
    await lists(page);
    await pick(page, '360p');
    await plays(page, 640);
    await pick(page, '180p');
    await plays(page, 320);
    await pick(page, 'Auto');
    await plays(page, 1280);
    await closeSession(publisher, 'publisher');
  });
}

test('a page that gets no events asks now and then, and has no menu', async () => {
  const publisher = await publish('quiet');
  const page = await (await parts.chromium.newContext()).newPage();
  let polls = 0;
  page.on('request', (request) => (polls += request.url().includes('/api/v1/live') ? 1 : 0));
  await page.route('**/events', (route) => route.fulfill({ status: 503 }));
  await page.goto(parts.spillway.url('/watch/quiet'));
  await plays(page, 1280);
  const before = polls;
  await page.waitForTimeout(11_000);
  assert.ok(polls > before);
  assert.equal(await page.isVisible('#quality'), false);
  assert.match(await page.textContent('#facts'), /1 viewer/);
  await closeSession(publisher, 'publisher');
  await page.waitForSelector('html[data-state="ended"]', { timeout: 30_000 });
});

test('events tell of viewers and of the end, and nothing is polled', async () => {
  const publisher = await publish('told');
  const page = await openWatch('told');
  await plays(page, 1280);
  const viewers = (count) =>
    until(`${count} viewers`, async () => (await view(page)).viewers === count, SLOW);
  await viewers(1);
  const polls = page.polls;
  const second = await openWatch('told');
  await viewers(2);
  await second.goto('about:blank');
  await viewers(1);
  assert.match(await page.textContent('#facts'), /1 viewer/);
  await page.waitForTimeout(11_000);
  assert.equal(page.polls, polls, 'the list of channels was asked for');
  await closeSession(publisher, 'publisher');
  await page.waitForSelector('html[data-state="ended"]', { timeout: 30_000 });
  assert.equal(page.polls, polls, 'the end was asked for');
  assert.equal(await page.textContent('#facts'), '');
});

/** Tells a page that its session is to be had elsewhere: it looks away and back, and finds that word instead of its events. */
async function sendAway(page, url) {
  const body = `event: reconnect\ndata: {"url":"${url}"}\n\n`;
  await page.route(
    '**/events/*',
    (route) => route.fulfill({ contentType: 'text/event-stream', body }),
    { times: 1 },
  );
  await page.evaluate(() => {
    for (const hidden of [true, false]) {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }
  });
}

/** Follows from now on which states the page is in, and for how long no new frame comes. */
const followPicture = (page) =>
  page.evaluate(() => {
    window.states = new Set();
    const root = document.documentElement;
    new MutationObserver(() => window.states.add(root.dataset.state)).observe(root, {
      attributes: true,
    });
    const video = document.querySelector('video');
    window.gap = 0;
    let last = performance.now();
    video.requestVideoFrameCallback(function shown(now) {
      window.gap = Math.max(window.gap, now - last);
      last = now;
      video.requestVideoFrameCallback(shown);
    });
  });

const picture = (page) => page.evaluate(() => ({ states: [...window.states], gap: window.gap }));

/** It never stopped playing, and stood no longer than on a page that stays where it is, whatever the machine is up to. */
async function assertPlayedOn(page, stays) {
  await plays(page, 1280);
  await page.waitForTimeout(1_000);
  const [{ states, gap }, other] = await Promise.all([picture(page), picture(stays)]);
  assert.deepEqual(
    states.filter((state) => state !== 'playing'),
    [],
  );
  const text = `no new frame for ${gap.toFixed(0)} ms, for ${other.gap.toFixed(0)} ms where it stays`;
  console.log(text);
  assert.ok(gap < other.gap + 600, text);
}

/** Two pages that show a channel, and follow their pictures. */
async function watchTwice(channel) {
  const pages = [await openWatch(channel), await openWatch(channel)];
  for (const page of pages) await plays(page, 1280);
  for (const page of pages) await followPicture(page);
  return pages;
}

test('a page that is sent elsewhere plays on until the other session does', async () => {
  const publisher = await publish('elsewhere');
  const [page, stays] = await watchTwice('elsewhere');
  const made = page.waitForRequest((request) => request.url().endsWith('/whep/elsewhere?other'));
  const ended = page.waitForRequest((request) => request.method() === 'DELETE');
  await Promise.all([made, ended, sendAway(page, '/whep/elsewhere?other')]);
  await assertPlayedOn(page, stays);
  await closeSession(publisher, 'publisher');
});

test('a page that is sent where there is no room plays on, and asks again', async () => {
  const publisher = await publish('full');
  const [page, stays] = await watchTwice('full');
  const headers = { 'retry-after': '2' };
  await page.route('**/whep/full?other', (route) => route.fulfill({ status: 503, headers }));
  const refused = page.waitForResponse((response) => response.status() === 503);
  const ended = page.waitForRequest((request) => request.method() === 'DELETE');
  const began = Date.now();
  await Promise.all([refused, ended, sendAway(page, '/whep/full?other')]);
  assert.ok(Date.now() - began >= 2_000, 'it asked again at once');
  await assertPlayedOn(page, stays);
  const viewers = async () => (await view(page)).viewers === 2;
  await until('events come again', viewers, SLOW);
  await closeSession(publisher, 'publisher');
});

test('a page is sent away by a node that stops, and comes back', async () => {
  const { spillway } = parts;
  await spillway.createChannel('moved');
  const page = await openWatch('moved');
  await page.waitForSelector('html[data-state="waiting"]');
  const sent = page.evaluate(async () => {
    const offer = new RTCPeerConnection();
    offer.addTransceiver('video', { direction: 'recvonly' });
    const { sdp } = await offer.createOffer();
    const headers = { 'content-type': 'application/sdp' };
    const made = await fetch('/whep/moved', { method: 'POST', headers, body: sdp });
    const url = /<([^>]*)>; rel="[^"]*server-sent-events"/.exec(made.headers.get('link'))[1];
    const stream = await fetch(url, { method: 'POST' });
    const source = new EventSource(stream.headers.get('location'));
    window.following = new Promise((resolve) => source.addEventListener('viewercount', resolve));
    return new Promise((resolve) => {
      source.addEventListener('reconnect', ({ data }) => resolve(JSON.parse(data)));
    });
  });
  await until('events come', () =>
    page.evaluate(() => window.following?.then(() => true) ?? false),
  );
  await spillway.stopServer();
  assert.deepEqual(await sent, { url: '/whep/moved' });
  await page.waitForSelector('html[data-state="reconnecting"]');
  await spillway.restart();
  await page.waitForSelector('html[data-state="waiting"]', { timeout: 60_000 });
});
