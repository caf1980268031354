import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ffmpegPath } from '../lib/media.js';
import { ObsPublisher } from '../lib/obs.js';
import { sidecarOf } from '../lib/sidecar-process.js';
import { sleep, until } from '../lib/wait.js';

/** A broadcast by a publisher like OBS, recorded by the real sidecar, which is killed in the middle of it. */
const parts = harness('recording', {
  hls: true,
  env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '2s' },
});
const CHANNEL = 'show';
/** How long the broadcast lasts before the sidecar is killed, and after it is back. */
const BEFORE_S = 8;
const AFTER_S = 8;
let recording;

const get = (pathname) => fetch(parts.spillway.url(pathname));
const json = async (pathname) => (await get(pathname)).json();
const listed = async () => (await json(`/api/v1/channels/${CHANNEL}/recordings`)).items[0];

/** The number of the newest segment in the live playlist of the best rendition; undefined while there's none. */
async function newest() {
  const answer = await get(`/hls/${CHANNEL}/index.m3u8`);
  if (!answer.ok) return undefined;
  const best = (await answer.text()).match(/^[^#\n].*index\.m3u8$/m)?.[0];
  const media = best && (await get(`/hls/${CHANNEL}/${best}`));
  if (!media?.ok) return undefined;
  return Number([...(await media.text()).matchAll(/^(\d+)\.m4s$/gm)].at(-1)?.[1]);
}

test('a broadcast is recorded, and goes on after its sidecar was killed', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', CHANNEL);
  const obs = await ObsPublisher.start({ url: spillway.url(`/whip/${CHANNEL}`), token, gop: 2 });
  const first = await until('LL-HLS is there', newest, { timeout: 20_000 });
  await sleep(BEFORE_S * 500);
  const marked = await fetch(spillway.url(`/api/v1/channels/${CHANNEL}/markers`), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ title: 'Encore' }),
  });
  assert.equal(marked.status, 201);
  await sleep(BEFORE_S * 500);
  assert.equal((await listed()).state, 'recording');
  const before = await newest();
  assert.ok(before > first, `${first}, then ${before}`);

  process.kill(await sidecarOf(spillway.pid), 'SIGKILL');
  const killed = Date.now();
  await until('LL-HLS is there again', async () => (await newest()) > before, { timeout: 20_000 });
  console.log(`LL-HLS was there again ${Date.now() - killed} ms after the sidecar was killed`);
  await sleep(AFTER_S * 1_000);
  await obs.stop();

  recording = await until(
    'the recording is finished',
    async () => {
      const one = await listed();
      return one.state === 'ready' && one;
    },
    { timeout: 60_000, interval: 500 },
  );
  assert.equal(recording.problem ?? null, null);
  const lasted = (Date.parse(recording.ended_at) - Date.parse(recording.started_at)) / 1_000;
  const lost = lasted - recording.duration_ms / 1_000;
  console.log(`of ${lasted.toFixed(1)} s on air ${lost.toFixed(1)} s aren't in the recording`);
  // Until the first keyframe after the beginning, and while there was no sidecar.
  assert.ok(lost < 10, `${lost} s are missing`);
});

test('its playlists are those of something that is over', async () => {
  const master = await get(recording.playlist);
  assert.equal(master.status, 200);
  const playlists = [...(await master.text()).matchAll(/(?:^|URI=")([\w-]+\/index\.m3u8)/gm)];
  assert.ok(playlists.length >= 2, 'pictures and sound');
  for (const [, playlist] of playlists) {
    const url = new URL(playlist, parts.spillway.url(recording.playlist));
    const text = await (await fetch(url)).text();
    assert.match(text, /#EXT-X-PLAYLIST-TYPE:VOD/);
    assert.match(text, /#EXT-X-DISCONTINUITY\n/);
    assert.match(text, /#EXT-X-ENDLIST/);
    const segment = text.match(/^\d+\.m4s$/m)[0];
    assert.equal((await fetch(new URL(segment, url))).status, 200);
  }
});

test('its file is whole, and has the chapters', async () => {
  const file = artifact(parts.test, 'video.mp4');
  await fs.writeFile(file, Buffer.from(await (await get(recording.video)).arrayBuffer()));
  const ffmpeg = await ffmpegPath();
  const run = (...args) => promisify(execFile)(ffmpeg, ['-hide_banner', ...args]);
  const { stderr: errors } = await run('-v', 'error', '-i', file, '-f', 'null', '-');
  assert.equal(errors, '');
  const { stdout: metadata } = await run('-v', 'error', '-i', file, '-f', 'ffmetadata', '-');
  const titles = [...metadata.matchAll(/^title=(.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(titles.slice(-2), ['Start', 'Encore']);
  const { stderr: said } = await run('-i', file, '-c', 'copy', '-f', 'null', '-');
  const [, minutes, seconds] = said.match(/Duration: 00:(\d\d):([\d.]+)/);
  const duration = Number(minutes) * 60 + Number(seconds);
  assert.ok(Math.abs(duration - recording.duration_ms / 1_000) < 0.5, `${duration} s`);
  const chapters = await (await get(recording.chapters)).text();
  assert.match(chapters, /^WEBVTT/);
  const poster = Buffer.from(await (await get(recording.poster)).arrayBuffer());
  assert.deepEqual([...poster.subarray(0, 2)], [0xff, 0xd8], 'a JPEG');
});

test('Chromium plays its page, and its file', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url(`/vod/${recording.broadcast}`));
  const position = () => page.evaluate(() => window.spillway.media.currentTime);
  await until('the page plays', async () => (await position()) > 1, { timeout: 20_000 });
  await page.waitForSelector('.chapter');
  assert.deepEqual(await page.locator('.chapter span').allTextContents(), ['Start', 'Encore']);
  await page.screenshot({ path: artifact(parts.test, 'page.png') });
  // Over what the sidecar missed.
  await page.keyboard.press('9');
  await until(
    'it plays to its end',
    async () => (await position()) > recording.duration_ms / 1_000 - 0.5,
    { timeout: 20_000 },
  );
  await page.goto(parts.spillway.url(path.posix.join('/', recording.video)));
  await page.waitForFunction(() => document.querySelector('video')?.currentTime > 1);
  await page.close();
});
