import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { beginPlayback, playbackFigures, watchPlayback } from '../lib/playback.js';
import { sleep, until } from '../lib/wait.js';

/** Shaka Player on a page of another origin, of the demo. */
const parts = harness('hls-shaka-plays', { args: ['--demo'], hls: true });
const SHAKA = createRequire(import.meta.url).resolve('shaka-player/dist/shaka-player.compiled.js');
const SECONDS = 8;
const MAX_LATENCY_MS = 5_000;
const MAX_STAND_MS = 1_000;

/** Loads the channel in a page with Shaka Player; its errors are kept in `window.faults`. */
async function play(url) {
  window.faults = [];
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, muted: true });
  document.body.append(video);
  const { shaka } = window;
  const player = new shaka.Player();
  player.addEventListener('error', ({ detail }) => {
    window.faults.push(
      `${detail.severity} ${detail.code} ${detail.message} ${JSON.stringify(detail.data?.slice(0, 2))}`,
    );
  });
  await player.attach(video);
  player.configure({ streaming: { lowLatencyMode: true } });
  await player.load(url);
  window.player = player;
}

test('Shaka Player plays the demo, close to live', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await watchPlayback(page);
  await page.goto(parts.bench.url);
  await page.addScriptTag({ path: SHAKA });
  const url = parts.spillway.url('/hls/demo/index.m3u8');
  await until('LL-HLS is there', async () => (await fetch(url)).ok);
  await page.evaluate(play, url);
  const position = () => page.evaluate(() => document.querySelector('video').currentTime);
  const first = await position();
  await until('it plays', async () => (await position()) > first + 1);
  await beginPlayback(page);
  await sleep(SECONDS * 1_000);
  const seen = await playbackFigures(page);
  const { faults, version } = await page.evaluate(() => ({
    faults: window.faults,
    version: window.shaka.Player.version,
  }));
  report(parts.test, { version, faults, ...seen });
  assert.deepEqual([faults, seen.troubles], [[], []]);
  const stalls = seen.stands.filter(({ ms }) => ms > MAX_STAND_MS);
  assert.deepEqual(stalls, [], 'the picture stood');
  assert.equal(seen.backwards, 0, 'pictures in order');
  assert.ok(seen.shown > SECONDS * 12, `${seen.shown} pictures in ${SECONDS} s`);
  assert.ok(seen.p95 < MAX_LATENCY_MS, `the pictures were ${seen.p95} ms old`);
  assert.ok(seen.beeps > SECONDS / 2, `${seen.beeps} beeps were heard`);
});
