import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ffmpegPath } from '../lib/media.js';
import { until } from '../lib/wait.js';

/** DASH of the same segments (docs/hls.md), through the node. */
const parts = harness('dash', { args: ['--demo'], hls: true });
const MANIFEST = '/hls/demo/manifest.mpd';
const DASH_JS = path.join(
  import.meta.dirname,
  '../node_modules/dashjs/dist/modern/umd/dash.mediaplayer.min.js',
);
/** 3 s are what the manifest asks for. */
const MAX_LATENCY = 4.5;

/** In the page: plays the manifest, and gathers what goes wrong. */
function play(manifest) {
  const video = document.body.appendChild(document.createElement('video'));
  video.muted = true;
  const player = window.dashjs.MediaPlayer().create();
  window.dash = { player, video, errors: [], stalls: 0, requests: [] };
  player.on('error', ({ error }) => window.dash.errors.push(String(error?.message ?? error)));
  player.on('fragmentLoadingCompleted', ({ request, error }) => {
    if (request.type !== 'MediaSegment') return;
    window.dash.requests.push({ url: request.url, error: error?.message });
  });
  video.addEventListener('waiting', () => (window.dash.stalls += 1));
  player.initialize(video, manifest, true);
}

test('dash.js plays the demo near live', async () => {
  await until('the manifest', async () => (await fetch(parts.spillway.url(MANIFEST))).ok);
  const page = await parts.openBench();
  await page.addScriptTag({ path: DASH_JS });
  await page.evaluate(play, parts.spillway.url(MANIFEST));
  await page.waitForFunction(() => window.dash.video.currentTime > 0 && !window.dash.video.paused);
  const frames = () =>
    page.evaluate(() => window.dash.video.getVideoPlaybackQuality().totalVideoFrames);
  await until('it is near live', async () => {
    const latency = await page.evaluate(() => window.dash.player.getCurrentLiveLatency());
    return latency > 0 && latency < MAX_LATENCY;
  });
  const [before, began] = [await frames(), Date.now()];
  await until('four seconds of pictures', async () => {
    const now = await frames();
    return now - before >= 110;
  });
  const seconds = (Date.now() - began) / 1_000;
  const { latency, errors, stalls, requests } = await page.evaluate(() => ({
    ...window.dash,
    player: undefined,
    video: undefined,
    latency: window.dash.player.getCurrentLiveLatency(),
  }));
  report(parts.test, { latency, seconds, stalls, requests: requests.length });
  assert.deepEqual(errors, []);
  assert.deepEqual(
    requests.filter(({ error }) => error),
    [],
  );
  await page.context().close();
});

/** Fetches the segment that is being made: gives the milliseconds from its first bytes to its last. */
async function fetchGrowing() {
  const live = await (await fetch(parts.spillway.url('/hls/demo/source/index.m3u8'))).text();
  const number = live.match(/#EXT-X-PRELOAD-HINT:.*URI="(\d+)\.\d+\.m4s"/)?.[1];
  if (number === undefined) return 0;
  const response = await fetch(parts.spillway.url(`/hls/demo/source/${number}.m4s`));
  assert.equal(response.status, 200);
  const reader = response.body.getReader();
  const { done } = await reader.read();
  const began = Date.now();
  for (let isOver = done; !isOver;) ({ done: isOver } = await reader.read());
  return Date.now() - began;
}

test('a segment is sent as it grows', async () => {
  // Some are all but whole when they're asked for.
  await until('a segment grows', async () => (await fetchGrowing()) > 500);
});

test('FFmpeg reads the live manifest', async () => {
  const { stderr } = await promisify(execFile)(await ffmpegPath(), [
    ...['-nostdin', '-v', 'info', '-i', parts.spillway.url(MANIFEST)],
    ...['-t', '2', '-f', 'null', '-'],
  ]);
  assert.match(stderr, /Video: h264/);
  assert.match(stderr, /Audio: aac/);
  assert.match(stderr, /frame= *(4[5-9]|[5-9]\d)/);
});

test('a restricted channel plays with a token for its manifest alone', async () => {
  const restricted = await parts.spillway.api('/api/v1/channels/demo', {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ settings: { restricted_viewing: true } }),
  });
  assert.equal(restricted.status, 200);
  const url = parts.spillway.url(MANIFEST);
  const refused = await until('it is restricted', async () => {
    const response = await fetch(url);
    return response.status === 401 && response;
  });
  await refused.body?.cancel();
  const token = await parts.spillway.token('view', 'demo');
  const page = await parts.openBench();
  await page.addScriptTag({ path: DASH_JS });
  await page.evaluate(play, `${url}?token=${token}`);
  await page.waitForFunction(() => window.dash.video.currentTime > 0 && !window.dash.video.paused);
  await page.waitForFunction(
    () => window.dash.video.getVideoPlaybackQuality().totalVideoFrames > 30,
  );
  const requests = await page.evaluate(() => window.dash.requests);
  assert.ok(requests.length > 0);
  for (const { url } of requests) assert.match(new URL(url).pathname, /^\/signed\/.*\/hls\/demo\//);
  await page.context().close();
});
