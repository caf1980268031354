import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { closeSession, publishFrom } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

/** Sources that aren't H.264 are passed through to players that can decode them. */
const parts = harness('hls-passes-codecs', { hls: true });
const CHANNEL = 'passes';
/** What isn't passed through at first has to have been fit for some seconds. */
const PASSED_MS = 90_000;

const get = async (path) => {
  const response = await fetch(parts.spillway.url(`/hls/${CHANNEL}/${path}`));
  return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
};

/** The initialization segment that the source's last segments need, if it is of this kind. */
async function initOf(kind) {
  const playlist = (await get('source/index.m3u8'))?.toString() ?? '';
  const name = playlist.match(/#EXT-X-MAP:URI="([^"]+)"(?![\s\S]*#EXT-X-MAP)/)?.[1];
  if (name === undefined) return null;
  return (await get(`source/${name}`))?.includes(kind) ? name : null;
}

const framesOf = (page) => page.evaluate(() => window.spillway.stats?.video.framesDecoded ?? 0);

test('VP9 from Chromium plays in hls.js as it came, for who watches already too', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', CHANNEL);
  const publisher = await parts.openBench();
  const size = { width: 320, height: 180, bitrate: 400_000 };
  const began = Date.now();
  await publishFrom(publisher, {
    url: spillway.url(`/whip/${CHANNEL}`),
    token,
    codec: 'VP9',
    ...size,
  });
  await until('a playlist', async () => (await get('index.m3u8')) !== null);
  const page = await (await parts.chromium.newContext()).newPage();
  const asked = new Set();
  page.on('request', (request) => asked.add(new URL(request.url()).pathname));
  await page.goto(spillway.url(`/watch/${CHANNEL}?player=hls`));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });

  const init = await until('VP9 is passed through', () => initOf('vp09'), { timeout: PASSED_MS });
  const passedMs = Date.now() - began;
  const master = (await get('index.m3u8')).toString();
  const [source, below] = master.match(/#EXT-X-STREAM-INF:.*\n.*/g);
  assert.match(source, /CODECS="avc1\.\w+,vp09\.00\.\d\d\.08,mp4a\.40\.2".*\nsource\//);
  assert.match(below, /CODECS="avc1\.\w+,mp4a\.40\.2",RESOLUTION=256x144.*\n144p\//);

  await until('the player takes it', () => asked.has(`/hls/${CHANNEL}/source/${init}`), {
    timeout: 30_000,
  });
  const before = await framesOf(page);
  await until('its pictures are shown', async () => (await framesOf(page)) > before + 90, {
    timeout: 20_000,
  });
  assert.equal(await page.evaluate(() => document.documentElement.dataset.state), 'playing');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.player), 'hls');
  report(parts.test, { passedMs });
  await closeSession(publisher, 'publisher');
});
