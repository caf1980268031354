import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { ffmpegPath, testFile } from '../lib/media.js';
import { Process } from '../lib/process.js';
import { assertPlays, viewIn } from '../lib/viewing.js';

const parts = harness('ffmpeg-publisher');

test("FFmpeg's WHIP muxer publishes an H.264 and Opus file", async () => {
  const { spillway, test: name } = parts;
  const { mkv } = await testFile(10);
  await spillway.createChannel('ffmpeg');
  const token = await spillway.token('publish', 'ffmpeg');
  const ffmpeg = new Process({
    test: name,
    name: 'ffmpeg',
    command: await ffmpegPath(),
    args: [
      ...['-hide_banner', '-nostdin', '-re', '-stream_loop', '-1', '-i', mkv, '-c', 'copy'],
      ...['-f', 'whip', '-authorization', token, spillway.url('/whip/ffmpeg')],
    ],
  });
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/ffmpeg') });
  const seen = await assertPlays(viewer);
  assert.equal(seen.mimeType, 'video/H264');
  assert.ok(ffmpeg.running, ffmpeg.output);
  await ffmpeg.stop('SIGINT');
});
