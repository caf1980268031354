import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { closeSession, publishFrom } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

/** What browsers send is passed through, though they make keyframes only when they are asked for them. */
const parts = harness('hls-passes-codecs', { hls: true });
const SIZE = { width: 320, height: 180, bitrate: 400_000 };
/** What was encoded has to have been fit for some seconds, twice as long when it hadn't been for a minute before. */
const PASSED_MS = 90_000;
/** Several groups of pictures, each of which was asked for. */
const GROUPS = 5;

async function get(channel, path) {
  const response = await fetch(parts.spillway.url(`/hls/${channel}/${path}`));
  return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
}

const sourceOf = async (channel) => (await get(channel, 'source/index.m3u8'))?.toString() ?? '';

/** The initialization segment that the source's last segments need, if it is of this kind. */
async function initOf(channel, kind) {
  const playlist = await sourceOf(channel);
  const name = playlist.match(/#EXT-X-MAP:URI="([^"]+)"(?![\s\S]*#EXT-X-MAP)/)?.[1];
  if (name === undefined) return null;
  return (await get(channel, `source/${name}`))?.includes(kind) ? name : null;
}

/** Why the source was encoded, each time that it was. */
const encoded = (channel) =>
  parts.spillway.log
    .split('\n')
    .filter((line) => line.includes('the source is encoded') && line.includes(channel))
    .map((line) => line.match(/reason=(.*)$/)?.[1]);

/** Publishes from Chromium, and waits until the broadcast is there with the source as it came. */
async function publishes(channel, codec, kind) {
  const { spillway } = parts;
  const token = await spillway.token('publish', channel);
  const publisher = await parts.openBench();
  const began = Date.now();
  await publishFrom(publisher, { url: spillway.url(`/whip/${channel}`), token, codec, ...SIZE });
  const published = Date.now();
  const init = await until('the source as it came', () => initOf(channel, kind), {
    timeout: PASSED_MS,
  });
  report(parts.test, { codec, publishedMs: published - began, listedMs: Date.now() - published });
  return { publisher, init };
}

/** The source has several groups of pictures, and was passed through from the first. */
async function staysPassed(channel) {
  const segments = (playlist) => playlist.match(/#EXTINF/g)?.length ?? 0;
  const playlist = await until(
    'some groups of pictures',
    async () => {
      const playlist = await sourceOf(channel);
      return segments(playlist) >= GROUPS && playlist;
    },
    { timeout: 30_000 },
  );
  const reasons = encoded(channel);
  assert.ok(!reasons.some((reason) => reason?.includes('keyframes')), reasons.join('; '));
  // A machine that has no time for Chromium's pictures leaves gaps.
  if (reasons.length === 0) assert.ok(!playlist.includes('#EXT-X-DISCONTINUITY\n'), playlist);
  report(parts.test, { channel, encoded: reasons });
}

const framesOf = (page) => page.evaluate(() => window.spillway.stats?.video.framesDecoded ?? 0);

async function shows(page, pictures) {
  const before = await framesOf(page);
  await until('its pictures are shown', async () => (await framesOf(page)) > before + pictures, {
    timeout: 20_000,
  });
  assert.equal(await page.evaluate(() => document.documentElement.dataset.state), 'playing');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.player), 'hls');
}

test('H.264 from Chromium is passed through from its start', async () => {
  const { publisher } = await publishes('passes-h264', 'H264', 'avc1');
  await staysPassed('passes-h264');
  const passed = parts.spillway.log
    .split('\n')
    .some((line) => line.includes('the source is passed through') && line.includes('passes-h264'));
  assert.ok(passed, 'H.264 that is encoded looks alike in playlists');
  await closeSession(publisher, 'publisher');
});

test('VP9 from Chromium plays in hls.js as it came, for who watches when it changes too', async () => {
  const channel = 'passes-vp9';
  const { spillway } = parts;
  const { publisher, init } = await publishes(channel, 'VP9', 'vp09');
  const page = await (await parts.chromium.newContext()).newPage();
  const asked = new Set();
  page.on('request', (request) => asked.add(new URL(request.url()).pathname));
  const takes = (name) =>
    until('the player takes it', () => asked.has(`/hls/${channel}/source/${name}`), {
      timeout: 30_000,
    });
  await page.goto(spillway.url(`/watch/${channel}?player=hls`));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
  await takes(init);
  await shows(page, 60);
  await staysPassed(channel);
  const master = (await get(channel, 'index.m3u8')).toString();
  const [source, below] = master.match(/#EXT-X-STREAM-INF:.*\n.*/g);
  assert.match(source, /CODECS="avc1\.\w+,vp09\.00\.\d\d\.08,mp4a\.40\.2".*\nsource\//);
  // Of its size, for players that don’t decode it.
  assert.match(below, /CODECS="avc1\.\w+,mp4a\.40\.2",RESOLUTION=320x180.*\n180p\//);

  // Another size can't go on as it came: it is encoded until that has lasted.
  const shrunk = Date.now();
  await publisher.evaluate(async () => {
    const [sender] = window.publisher.peer.getSenders().filter((s) => s.track?.kind === 'video');
    const parameters = sender.getParameters();
    parameters.encodings[0].scaleResolutionDownBy = 2;
    await sender.setParameters(parameters);
  });
  await until('it is encoded', () => initOf(channel, 'avc1'), { timeout: 30_000 });
  const again = await until('VP9 is passed through again', () => initOf(channel, 'vp09'), {
    timeout: PASSED_MS,
  });
  report(parts.test, { againMs: Date.now() - shrunk });
  assert.notEqual(again, init);
  await takes(again);
  await shows(page, 90);
  await closeSession(publisher, 'publisher');
});
