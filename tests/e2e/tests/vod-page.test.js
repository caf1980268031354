import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { launchChromium } from '../lib/chromium.js';
import { StandInNode } from '../lib/stand-in-node.js';
import { makeRecording, SECONDS } from '../lib/vod-fixture.js';
import { sleep, until } from '../lib/wait.js';

const TEST = 'vod-page';
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

let dir;
let node;
let chromium;

before(async () => {
  dir = await makeRecording();
  node = await StandInNode.start(dir);
  chromium = await launchChromium();
});

after(async () => {
  await chromium?.close();
  await node?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

async function open(pathname, viewport = DESKTOP) {
  const isPhone = viewport === PHONE;
  const context = await chromium.newContext({ viewport, hasTouch: isPhone, isMobile: isPhone });
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) page.errors.push(message.text());
  });
  await page.goto(node.url(pathname));
  return page;
}

const media = (page) => page.evaluate(() => window.spillway.media);
const plays = (page) =>
  until('it plays', async () => {
    const { currentTime, paused } = await media(page);
    return !paused && currentTime > 0.3;
  });

/** Keeps how the page looks at both sizes. */
async function keep(page, name) {
  await page.mouse.move(400, 300);
  await sleep(400);
  await page.screenshot({ path: artifact(TEST, `${name}.png`) });
}

async function keepOnPhone(pathname, name, isReady) {
  const page = await open(pathname, PHONE);
  await isReady(page);
  // A touch brings the controls back.
  await page.touchscreen.tap(195, 150);
  await sleep(400);
  await page.screenshot({ path: artifact(TEST, `${name}-phone.png`), fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px wide`);
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

test('a recording plays, with its chapters, and goes where one clicks', async () => {
  node.finish('whole');
  const page = await open('/vod/whole');
  await plays(page);
  assert.equal(await page.getAttribute('html', 'data-recording'), 'ready');
  assert.equal(await page.textContent('#title'), 'A night at the observatory');
  assert.match(await page.textContent('#facts'), /demo · .* 2026.* · 00:24/);
  await page.waitForSelector('.chapter');
  assert.deepEqual(await page.locator('.chapter span').allTextContents(), [
    ...['Start', 'Questions & answers', 'The end'],
  ]);
  assert.equal(await page.locator('.tick').count(), 2);
  await page.click('.chapter:has-text("Questions")');
  await until('it is there', async () => (await media(page)).currentTime >= 8);
  assert.equal(await page.getAttribute('.chapter:has-text("Questions")', 'aria-current'), 'true');
  await keep(page, '1-ready');
  const { duration } = await media(page);
  assert.ok(Math.abs(duration - SECONDS) < 0.2, `${duration} s`);

  // To the end, and again from the beginning.
  await page.keyboard.press('9');
  await page.waitForSelector('#play[title="Play again"]', { timeout: 10_000 });
  await page.keyboard.press('k');
  await until('it plays again', async () => (await media(page)).currentTime < 5);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('the seek bar shows what is where, and takes the keyboard', async () => {
  const page = await open('/vod/whole?t=4');
  await plays(page);
  assert.ok((await media(page)).currentTime >= 4, 'it begins where the address says');
  await page.waitForSelector('.chapter');
  const bar = await page.locator('#timeline').boundingBox();
  await page.mouse.move(bar.x + bar.width * 0.75, bar.y + bar.height / 2);
  await page.waitForSelector('#preview:not([hidden])');
  assert.match(await page.textContent('#preview-text'), /^00:1[78] · The end$/);
  const image = await page.evaluate(() => {
    const { backgroundImage, backgroundPosition } =
      document.getElementById('preview-picture').style;
    return `${backgroundImage} ${backgroundPosition}`;
  });
  // The fifth picture: the second of the second row.
  assert.match(image, /storyboard-0\.jpg"?\) -160px -90px/);
  await sleep(400);
  await page.screenshot({ path: artifact(TEST, '2-preview.png') });
  await page.mouse.click(bar.x + bar.width * 0.5, bar.y + bar.height / 2);
  await until('it is there', async () => Math.abs((await media(page)).currentTime - 12) < 1.5);
  await page.keyboard.press('ArrowRight');
  await until('it is further', async () => (await media(page)).currentTime > 15.5);
  assert.match(await page.getAttribute('#seek', 'aria-valuetext'), /^00:\d\d of 00:24$/);
  await page.focus('#player');
  await page.keyboard.press('j');
  await until('it is back', async () => (await media(page)).currentTime < 9);
  await page.context().close();
});

test('speed, quality, captions and the download are there', async () => {
  const page = await open('/vod/whole');
  await plays(page);
  await page.mouse.move(400, 300);
  await page.click('#speed-button');
  await sleep(400);
  await page.screenshot({ path: artifact(TEST, '3-speed.png') });
  await page.click('#speed-menu .menu-item:has-text("1.5×")');
  await until('it is faster', async () => (await media(page)).playbackRate === 1.5);
  await page.keyboard.press('<');
  await until('it is slower', async () => (await media(page)).playbackRate === 1.25);

  await page.click('#quality-button');
  await page.click('#quality-menu .menu-item:has-text("180p")');
  await page.waitForFunction(() => document.getElementById('video').videoHeight === 180);

  await page.keyboard.press('c');
  const caption = () =>
    page.evaluate(() => {
      const tracks = [...document.getElementById('video').textTracks];
      const shown = tracks.find(({ mode }) => mode === 'showing');
      return shown?.activeCues?.[0]?.text ?? null;
    });
  await until('captions are shown', async () => (await caption()) === 'These are captions.');
  await keep(page, '4-captions');
  await page.keyboard.press('c');
  await until('they are off', async () => (await caption()) === null);

  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  assert.equal(download.suggestedFilename(), 'A night at the observatory.mp4');
  const saved = await fs.readFile(await download.path());
  assert.deepEqual(saved, await fs.readFile(`${dir}/video.mp4`));
  await page.context().close();
  await keepOnPhone('/vod/whole', '1-ready', plays);
});

test('a broadcast is watched from its beginning while it is on, and its chapters come when it is whole', async () => {
  node.set('growing', { state: 'recording', duration_ms: 8_000 });
  node.segments = 4;
  const page = await open('/vod/growing');
  await plays(page);
  assert.ok((await media(page)).currentTime < 4, 'it begins at the beginning');
  assert.match(await page.textContent('#news'), /still on/);
  assert.equal(await page.getAttribute('#live', 'href'), '/watch/demo');
  assert.equal(await page.isVisible('#download'), false);
  await keep(page, '5-recording');
  node.segments = 8;
  await until('it grows', async () => (await media(page)).duration >= 15.5);

  node.set('growing', { state: 'finishing', duration_ms: 24_000 });
  node.segments = Infinity;
  await page.waitForSelector('html[data-recording="finishing"]');
  assert.match(await page.textContent('#news'), /in a moment/);
  await keep(page, '6-finishing');
  const { currentTime } = await media(page);
  node.finish('growing');
  await page.waitForSelector('.chapter');
  assert.ok(await page.isVisible('#download'));
  assert.ok((await media(page)).currentTime > currentTime, 'it plays on');
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('one that has just begun plays by itself once there is something', async () => {
  node.set('new', { state: 'recording', duration_ms: 0, playlist: '/vod/none-yet/index.m3u8' });
  const page = await open('/vod/new');
  await page.waitForSelector('html[data-state="waiting"]', { timeout: 20_000 });
  assert.match(await page.textContent('#notice-title'), /Nothing to play yet/);
  await keep(page, '7-new');
  node.finish('new');
  node.set('new', { playlist: '/vod/new/index.m3u8' });
  await plays(page);
  await page.context().close();
});

for (const [name, title, set] of [
  [
    'failed',
    /recording failed/,
    () => node.set('failed', { state: 'failed', playlist: null, problem: 'The storage is full.' }),
  ],
  ['gone', /no such recording/, () => undefined],
]) {
  test(`a recording that ${name === 'gone' ? 'is gone' : 'failed'} says so`, async () => {
    set();
    const page = await open(`/vod/${name}`);
    await page.waitForSelector(`html[data-recording="${name}"][data-state="error"]`);
    assert.match(await page.textContent('#notice-title'), title);
    await keep(page, `8-${name}`);
    await page.context().close();
    await keepOnPhone(`/vod/${name}`, `8-${name}`, (phone) =>
      phone.waitForSelector('html[data-state="error"]'),
    );
  });
}

test('who may not watch is told, and a token opens all of it', async () => {
  node.finish('closed');
  node.token = 'secret';
  try {
    const refused = await open('/vod/closed');
    await refused.waitForSelector('html[data-recording="restricted"]');
    assert.match(await refused.textContent('#notice-title'), /needs a token/);
    await keep(refused, '9-restricted');
    await refused.context().close();
    node.requests = [];
    const page = await open('/vod/closed#token=secret');
    await plays(page);
    await page.waitForSelector('.chapter');
    const href = await page.getAttribute('#download', 'href');
    assert.match(href, /token=secret/);
    assert.equal((await fetch(href, { headers: { range: 'bytes=0-1' } })).status, 206);
    const asked = node.requests.filter(({ url }) => /m3u8|m4s|recordings|vtt/.test(url));
    assert.ok(asked.length > 4 && asked.every(({ hasHeader }) => hasHeader), JSON.stringify(asked));
    assert.match(await page.getAttribute('#channel', 'href'), /^\/watch\/demo#token=secret$/);
    await page.context().close();
  } finally {
    node.token = '';
  }
});

test("the watch page lists the channel's recordings, with posters and lengths", async () => {
  node.recordings.clear();
  node.finish('first');
  node.finish('second');
  node.set('third', { state: 'recording', title: 'Tonight' });
  const ready = async (page) => {
    await page.waitForSelector('.recording');
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.recording img')].every(({ complete }) => complete),
    );
  };
  const page = await open('/watch/demo');
  await ready(page);
  assert.deepEqual(await page.locator('.recording-title').allTextContents(), [
    ...['Tonight', 'A night at the observatory', 'A night at the observatory'],
  ]);
  assert.equal(await page.locator('.recording').first().getAttribute('href'), '/vod/third');
  assert.deepEqual(await page.locator('.recording-length').allTextContents(), ['00:24', '00:24']);
  await page.locator('#earlier').scrollIntoViewIfNeeded();
  await keep(page, '10-list');
  await page.context().close();
  await keepOnPhone('/watch/demo', '10-list', ready);
});
