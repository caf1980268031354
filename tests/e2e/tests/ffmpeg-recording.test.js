import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import test from 'node:test';
import { promisify } from 'node:util';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ffmpegPath, testFile } from '../lib/media.js';
import { Process } from '../lib/process.js';
import { until } from '../lib/wait.js';

/** How long the channel waits for its publisher to come back: longer than what a recording may be longer than the broadcast. */
const GRACE_S = 8;
const PUBLISHED_S = 8;
const parts = harness('ffmpeg-recording', {
  hls: true,
  browser: false,
  env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: `${GRACE_S}s` },
});
const CHANNEL = 'file';

const get = (pathname) => fetch(parts.spillway.url(pathname));

async function listed() {
  const answer = await get(`/api/v1/channels/${CHANNEL}/recordings`);
  return answer.ok ? (await answer.json()).items[0] : undefined;
}

test("what FFmpeg's WHIP muxer sends is passed through, and is all that is recorded", async () => {
  const { spillway, test: name } = parts;
  const { mkv } = await testFile(2);
  const token = await spillway.token('publish', CHANNEL);
  const command = await ffmpegPath();
  const ffmpeg = new Process({
    test: name,
    name: 'ffmpeg',
    command,
    args: [
      ...['-hide_banner', '-nostdin', '-re', '-i', mkv, '-t', String(PUBLISHED_S), '-c', 'copy'],
      ...['-f', 'whip', '-authorization', token, spillway.url(`/whip/${CHANNEL}`)],
    ],
  });
  await until('FFmpeg has sent all', () => !ffmpeg.running, { timeout: 40_000 });
  const recording = await until(
    'the recording is finished',
    async () => {
      const one = await listed();
      return one?.state === 'ready' && one;
    },
    { timeout: 60_000, interval: 500 },
  );
  assert.equal(recording.problem ?? null, null);
  const playlist = `/vod/${recording.broadcast}/source/index.m3u8`;
  const text = await (await get(playlist)).text();
  assert.doesNotMatch(text, /#EXT-X-DISCONTINUITY\n/, 'it was the source from beginning to end');
  const lasts = recording.duration_ms / 1_000;
  console.log(`of ${PUBLISHED_S} s that were sent ${lasts.toFixed(1)} s are recorded`);
  assert.ok(lasts > PUBLISHED_S - 2 && lasts < PUBLISHED_S + 1, `${lasts} s`);

  const file = artifact(name, 'video.mp4');
  await fs.writeFile(file, Buffer.from(await (await get(recording.video)).arrayBuffer()));
  const { stderr } = await promisify(execFile)(command, [
    ...['-hide_banner', '-i', file, '-vf', 'freezedetect=n=0.0001:d=1', '-f', 'null', '-'],
  ]);
  assert.doesNotMatch(stderr, /freeze_start/, 'no picture stands');
  const frames = Number([...stderr.matchAll(/frame=\s*(\d+)/g)].at(-1)[1]);
  assert.ok(Math.abs(frames - lasts * 30) <= 8, `${frames} pictures in ${lasts} s`);
});
