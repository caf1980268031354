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
/** The largest first, as OBS has them. Bits per second are kept to within half a second of them. */
const LAYERS = [
  { width: 1280, height: 720, bitrate: 2_500_000 },
  { width: 640, height: 360, bitrate: 1_000_000 },
  { width: 320, height: 180, bitrate: 300_000 },
];
export const FPS = 30;
const SECONDS = 20;
/** Added to the time since the file's start, so that no timecode is 0. */
export const TIMECODE_BASE = 1_000_000;
/** Counts up when what is made changes. */
const VERSION = 1;
const DIR = path.join(CACHE, `media-${VERSION}`);

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
  const base = path.join(DIR, `gop-${gop}`);
  const files = { h264: `${base}.h264`, opus: `${base}.ogg`, mkv: `${base}.mkv` };
  await unlessMade(files.mkv, async (ffmpeg, unfinished) => {
    await encodeVideo(ffmpeg, [{ ...LAYERS[0], file: files.h264 }], gop);
    await encodeAudio(ffmpeg, files.opus);
    const inputs = ['-r', String(FPS), '-i', files.h264, '-i', files.opus];
    await run(ffmpeg, ['-y', ...inputs, '-c', 'copy', '-f', 'matroska', unfinished]);
  });
  return files;
}

/** The same picture in three sizes, the largest first: each layer's `width`, `height`, `bitrate` and `h264` file. */
export async function testLayers(gop) {
  const files = LAYERS.map((layer) => path.join(DIR, `gop-${gop}-${layer.height}.h264`));
  const stamp = path.join(DIR, `gop-${gop}.layers`);
  await unlessMade(stamp, async (ffmpeg, unfinished) => {
    const outputs = LAYERS.map((layer, i) => ({ ...layer, file: files[i] }));
    await encodeVideo(ffmpeg, outputs, gop);
    await fs.writeFile(unfinished, '');
  });
  return LAYERS.map((layer, i) => ({ ...layer, h264: files[i] }));
}

/** Makes what is complete once this file is there. */
async function unlessMade(file, make) {
  if (await fs.stat(file).catch(() => null)) return;
  await fs.mkdir(DIR, { recursive: true });
  const unfinished = `${file}.part`;
  await make(await ffmpegPath(), unfinished);
  await fs.rename(unfinished, file);
}

async function encodeAudio(ffmpeg, file) {
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', String(SECONDS)];
  const opus = ['-ac', '2', '-c:a', 'libopus', '-b:a', '96k', '-frame_duration', '20'];
  await run(ffmpeg, ['-y', ...tone, ...opus, file]);
}

/** Encodes the picture at once in all sizes that are asked for. */
async function encodeVideo(ffmpeg, outputs, gop) {
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${WIDTH}x${HEIGHT}`];
  const input = ['-y', '-loglevel', 'error', ...raw, '-r', String(FPS), '-i', '-'];
  const encoded = outputs.flatMap((output) => encoding(output, gop * FPS));
  const child = spawn(ffmpeg, [...input, ...encoded], { stdio: ['pipe', 'inherit', 'inherit'] });
  const exit = once(child, 'exit');
  for (let frame = 0; frame < SECONDS * FPS; frame++) {
    if (!child.stdin.write(drawFrame(frame))) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  const [code] = await exit;
  if (code !== 0) throw new Error(`FFmpeg ended with ${code}`);
}

function encoding({ width, height, bitrate, file }, interval) {
  const x264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'high', '-bf', '0'];
  const keyframes = ['-g', String(interval), '-keyint_min', String(interval), '-sc_threshold', '0'];
  const rate = ['-b:v', String(bitrate), '-maxrate', String(bitrate), '-bufsize', `${bitrate / 2}`];
  const parameters = ['-x264-params', 'aud=1:sliced-threads=0:repeat-headers=1'];
  return [
    ...['-s', `${width}x${height}`, ...x264, ...keyframes, ...parameters, ...rate],
    ...['-f', 'h264', file],
  ];
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
