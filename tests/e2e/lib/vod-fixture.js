import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ffmpegPath } from './media.js';

export const SECONDS = 24;
const TILE = { width: 160, height: 90, columns: 3, seconds: 4 };

const CHAPTERS = `WEBVTT

00:00.000 --> 00:08.000
Start

00:08.000 --> 00:16.000
Questions &amp; answers

00:16.000 --> 00:24.000
The end
`;

const CAPTIONS = `WEBVTT
X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

00:00.000 --> 00:24.000
These are captions.
`;

/**
 * Makes what storage has of a recording: two sizes as HLS with captions, an MP4, poster, chapters and storyboard. The picture
 * counts, and a tone is heard. Gives the directory.
 */
export async function makeRecording() {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-vod-'));
  const ffmpeg = await ffmpegPath();
  const run = (...args) =>
    promisify(execFile)(ffmpeg, ['-loglevel', 'error', '-y', ...args], { cwd: dir });
  const source = [
    ...['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`],
  ];
  const encode = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
  await run(
    ...[...source, '-map', '0:v', '-map', '1:a', '-map', '0:v', '-map', '1:a', ...encode],
    ...['-g', '50', '-s:v:1', '320x180', '-b:v:0', '600k', '-b:v:1', '150k'],
    ...['-f', 'hls', '-hls_time', '2', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4'],
    ...['-master_pl_name', 'index.m3u8', '-var_stream_map', 'v:0,a:0,name:360p v:1,a:1,name:180p'],
    ...['-hls_segment_filename', '%v/%d.m4s', '%v/index.m3u8'],
  );
  await run(...source, ...encode, '-movflags', '+faststart', 'video.mp4');
  await run('-ss', '5', '-i', 'video.mp4', '-frames:v', '1', 'poster.jpg');
  const tiles = `fps=1/${TILE.seconds},scale=${TILE.width}:${TILE.height},tile=${TILE.columns}x2`;
  await run('-i', 'video.mp4', '-vf', tiles, '-frames:v', '1', 'storyboard-0.jpg');
  await fs.writeFile(path.join(dir, 'storyboard.vtt'), storyboard());
  await fs.writeFile(path.join(dir, 'chapters.vtt'), CHAPTERS);
  await addCaptions(dir);
  return dir;
}

function storyboard() {
  const cues = Array.from({ length: SECONDS / TILE.seconds }, (_, i) => {
    const [x, y] = [i % TILE.columns, Math.floor(i / TILE.columns)];
    const part = [x * TILE.width, y * TILE.height, TILE.width, TILE.height].join(',');
    return `${time(i * TILE.seconds)} --> ${time((i + 1) * TILE.seconds)}\nstoryboard-0.jpg#xywh=${part}\n`;
  });
  return `WEBVTT\n\n${cues.join('\n')}`;
}

const time = (seconds) => `00:${String(seconds).padStart(2, '0')}.000`;

async function addCaptions(dir) {
  await fs.mkdir(path.join(dir, 'captions'));
  await fs.writeFile(path.join(dir, 'captions/0.vtt'), CAPTIONS);
  const list = [
    ...['#EXTM3U', '#EXT-X-VERSION:7', `#EXT-X-TARGETDURATION:${SECONDS}`],
    ...['#EXT-X-PLAYLIST-TYPE:VOD', `#EXTINF:${SECONDS},`, '0.vtt', '#EXT-X-ENDLIST', ''],
  ];
  await fs.writeFile(path.join(dir, 'captions/index.m3u8'), list.join('\n'));
  const file = path.join(dir, 'index.m3u8');
  const playlist = await fs.readFile(file, 'utf8');
  const media =
    '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",AUTOSELECT=YES,URI="captions/index.m3u8"';
  const [first, ...rest] = playlist
    .replaceAll(/^(#EXT-X-STREAM-INF:.*)$/gm, '$1,SUBTITLES="subs"')
    .split('\n');
  await fs.writeFile(file, [first, media, ...rest].join('\n'));
}
