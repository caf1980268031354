import assert from 'node:assert/strict';
import test from 'node:test';
import { launchChromium } from '../lib/chromium.js';
import { harness } from '../lib/harness.js';
import { sleep, until } from '../lib/wait.js';

const parts = harness('handover-keeps', {
  args: ['--demo'],
  env: { SPILLWAY_HLS_ARGS: '--renditions,360' },
  browser: false,
  hls: true,
});

const plays = (page, player) =>
  page.waitForSelector(`html[data-player="${player}"][data-state="playing"]`, { timeout: 30_000 });

/** Without a click, which would let the browser play sound from then on. */
const choose = (page, player) =>
  page.evaluate((name) => document.querySelector(`#players [data-player=${name}]`).click(), player);

const look = (page) =>
  page.evaluate(() => {
    const video = document.getElementById('video');
    const { muted, paused } = video;
    const inPicture = document.pictureInPictureElement;
    return { muted, paused, isInPicture: inPicture === video };
  });

/** The page in a browser that plays sound only once somebody has asked for it. */
async function openStrictly() {
  const browser = await launchChromium({
    args: ['--autoplay-policy=document-user-activation-required'],
  });
  const page = await browser.newPage();
  await until('the sidecar has the demo', async () => {
    const answer = await fetch(parts.spillway.url('/hls/demo/index.m3u8'));
    return answer.ok;
  });
  await page.goto(parts.spillway.url('/watch/demo'));
  await plays(page, 'webrtc');
  await page.waitForSelector('#unmute:not([hidden])');
  return { browser, page };
}

test('a viewer who asked for sound keeps it, and picture in picture, with the other player', async () => {
  const { browser, page } = await openStrictly();
  try {
    await page.click('#unmute');
    await page.click('#pip');
    await until('it is in a window of its own', async () => (await look(page)).isInPicture);
    await choose(page, 'hls');
    await plays(page, 'hls');
    await sleep(1_000);
    assert.deepEqual(await look(page), { muted: false, paused: false, isInPicture: true });
    assert.equal(await page.isVisible('#unmute'), false);
    await page.click('#play');
    assert.equal((await look(page)).paused, true);
    await choose(page, 'webrtc');
    await page.waitForSelector('html[data-player="webrtc"]', { timeout: 30_000 });
    assert.equal((await look(page)).paused, true, 'who stopped the picture finds it stopped');
  } finally {
    await browser.close();
  }
});

test('nobody hears what they did not ask for', async () => {
  const { browser, page } = await openStrictly();
  try {
    await choose(page, 'hls');
    await plays(page, 'hls');
    await sleep(1_000);
    assert.deepEqual(await look(page), { muted: true, paused: false, isInPicture: false });
    assert.equal(await page.isVisible('#unmute'), true);
  } finally {
    await browser.close();
  }
});
