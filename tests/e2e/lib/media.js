import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { drawTimecodeLuma } from './browser/timecode.js';
import { CACHE, PYTHON } from './cache.js';

const run = promisify(execFile);
const WIDTH = 1280;
const HEIGHT = 720;
export const FPS = 30;
const SECONDS = 20;
/** Added to the time since the file's start, so that no timecode is 0. */
export const TIMECODE_BASE = 1_000_000;
/** Counts up when what is made changes. */
const VERSION = 1;

/** The path of FFmpeg from PyPI, which has a WHIP muxer. */
export async function ffmpegPath() {
  const { stdout } = await run(PYTHON, [
    '-c',
    'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())',
  ]);
  return stdout.trim();
}

/**
 * A file of 20 s that was encoded beforehand: H.264 (x264, high profile, no B-frames) with a keyframe every `gop`
 * seconds and the time since its start (plus `TIMECODE_BASE`) as timecode; Opus.
 *
 * Gives the paths of `h264` (Annex B), `opus` (Ogg) and `mkv` (both).
 */
export async function testFile(gop = 10) {
  const dir = path.join(CACHE, `media-${VERSION}`);
  const base = path.join(dir, `gop-${gop}`);
  const files = { h264: `${base}.h264`, opus: `${base}.ogg`, mkv: `${base}.mkv` };
  const made = await fs.stat(files.mkv).catch(() => null);
  if (made === null) await makeFiles(dir, files, gop);
  return files;
}

async function makeFiles(dir, files, gop) {
  await fs.mkdir(dir, { recursive: true });
  const ffmpeg = await ffmpegPath();
  const unfinished = `${files.mkv}.part`;
  await encodeVideo(ffmpeg, files.h264, gop);
  await run(ffmpeg, [
    '-y',
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=440:sample_rate=48000',
    '-t',
    String(SECONDS),
    '-ac',
    '2',
    '-c:a',
    'libopus',
    '-b:a',
    '96k',
    '-frame_duration',
    '20',
    files.opus,
  ]);
  await run(ffmpeg, [
    '-y',
    '-r',
    String(FPS),
    '-i',
    files.h264,
    '-i',
    files.opus,
    '-c',
    'copy',
    '-f',
    'matroska',
    unfinished,
  ]);
  await fs.rename(unfinished, files.mkv);
}

async function encodeVideo(ffmpeg, file, gop) {
  const child = spawn(
    ffmpeg,
    [
      ...[
        '-y',
        '-loglevel',
        'error',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'yuv420p',
        '-s',
        `${WIDTH}x${HEIGHT}`,
      ],
      ...[
        '-r',
        String(FPS),
        '-i',
        '-',
        '-c:v',
        'libx264',
        '-preset',
        'veryfast',
        '-profile:v',
        'high',
        '-bf',
        '0',
      ],
      ...['-g', String(gop * FPS), '-keyint_min', String(gop * FPS), '-sc_threshold', '0'],
      ...[
        '-x264-params',
        'aud=1:sliced-threads=0:repeat-headers=1',
        '-b:v',
        '2500k',
        '-maxrate',
        '2500k',
      ],
      ...['-bufsize', '1250k', '-f', 'h264', file],
    ],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  );
  const exit = once(child, 'exit');
  for (let frame = 0; frame < SECONDS * FPS; frame++) {
    if (!child.stdin.write(drawFrame(frame))) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  const [code] = await exit;
  if (code !== 0) throw new Error(`FFmpeg ended with ${code}`);
}

const noise = Uint8Array.from({ length: WIDTH * 64 }, () => 60 + Math.random() * 120);

/** Bars that change, and bands of noise that is new in each frame, so that the bitrate is used; the timecode. */

function drawFrame(frame) {
  const picture = Buffer.alloc((WIDTH * HEIGHT * 3) / 2, 128);
  const luma = picture.subarray(0, WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    const smooth = (y >> 4) % 12 !== 5;
    if (smooth) luma.fill(60 + (((y >> 4) * 11 + frame) % 120), y * WIDTH, (y + 1) * WIDTH);
    else luma.set(noise.subarray(...randomRow()), y * WIDTH);
  }
  drawTimecodeLuma(luma, WIDTH, HEIGHT, TIMECODE_BASE + Math.round((frame * 1000) / FPS));
  return picture;
}

function randomRow() {
  const start = Math.floor(Math.random() * 63 * WIDTH);
  return [start, start + WIDTH];
}

/** The access units of an Annex B file, each as its NAL units, without delimiters. */
export async function readAccessUnits(file) {
  const data = await fs.readFile(file);
  const units = [];
  for (const nal of nalUnits(data)) {
    const type = nal[0] & 0x1f;
    if (type === 9) units.push([]);
    else units.at(-1)?.push(nal);
  }
  return units;
}

/** Splits at the start codes 00 00 01 (with a zero byte before the first of an access unit). */
function* nalUnits(data) {
  const code = Buffer.from([0, 0, 1]);
  let start = data.indexOf(code);
  while (start !== -1) {
    const next = data.indexOf(code, start + 3);
    let end = next === -1 ? data.length : next;
    while (data[end - 1] === 0) end--;
    yield data.subarray(start + 3, end);
    start = next;
  }
}

/** The Opus packets of an Ogg file (RFC 3533), without the two headers (RFC 7845). */
export async function readOpusPackets(file) {
  const data = await fs.readFile(file);
  const packets = [];
  let packet = [];
  for (let page = 0; page < data.length;) {
    const segments = data[page + 26];
    let offset = page + 27 + segments;
    for (let i = 0; i < segments; i++) {
      const length = data[page + 27 + i];
      packet.push(data.subarray(offset, offset + length));
      offset += length;
      if (length < 255) {
        packets.push(Buffer.concat(packet));
        packet = [];
      }
    }
    page = offset;
  }
  return packets.slice(2);
}
