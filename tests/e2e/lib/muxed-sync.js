import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { TimecodeLuma } from './browser/timecode.js';
import { readMediaPlaylist } from './hls-playlists.js';
import { ffmpegPath } from './media.js';
import { quantile } from './wait.js';

const run = promisify(execFile);
const OUTPUT = { encoding: 'buffer', maxBuffer: 1 << 28 };
const RATE = 48_000;
/** How much louder a beep is than the hum below it. */
const BEEP = 0.12;

/**
 * How much later the demo's sound is than its picture by the times in the media itself, in milliseconds; negative: earlier.
 * `video` and `audio` are media playlists; the last segments that both have are decoded by FFmpeg.
 */
export async function muxedSoundLateMs(video, audio, segments = 4) {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'spillway-sync-'));
  try {
    const [pictures, sound] = [path.join(folder, 'v.mp4'), path.join(folder, 'a.mp4')];
    await download(video, audio, segments, pictures, sound);
    const beeps = await beepsOf(sound);
    const codes = await timecodesOf(pictures);
    if (beeps.length === 0 || codes.length === 0)
      throw new Error(`${beeps.length} beeps and ${codes.length} timecodes in the media`);
    // When time 0 of the media was, by the pictures' own clock.
    const zero = quantile(
      codes.map(({ time, timecode }) => timecode - time),
      0.5,
    );
    const late = beeps.map((beep) => beep + zero - Math.round((beep + zero) / 1_000) * 1_000);
    return Math.round(quantile(late, 0.5));
  } finally {
    await fs.rm(folder, { recursive: true });
  }
}

async function download(video, audio, count, pictures, sound) {
  const [a, b] = await Promise.all(
    [video, audio].map(async (url) => readMediaPlaylist(await text(url))),
  );
  const names = new Set(b.segments.map(({ uri }) => uri));
  const both = a.segments
    .map(({ uri }) => uri)
    .filter((uri) => names.has(uri))
    .slice(-count);
  await Promise.all([
    save(video, [a.init, ...both], pictures),
    save(audio, [b.init, ...both], sound),
  ]);
}

async function text(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}

async function save(playlist, uris, file) {
  const pieces = [];
  for (const uri of uris) {
    const response = await fetch(new URL(uri, playlist));
    if (!response.ok) throw new Error(`${uri} answered ${response.status}`);
    pieces.push(Buffer.from(await response.arrayBuffer()));
  }
  await fs.writeFile(file, Buffer.concat(pieces));
}

/** When beeps begin, in milliseconds of the media's time. */
async function beepsOf(file) {
  const args = ['-copyts', '-i', file, '-af', 'ashowinfo', '-ac', '1', '-f', 'f32le', '-'];
  const { stdout, stderr } = await run(await ffmpegPath(), ['-hide_banner', ...args], OUTPUT);
  const first = Number(stderr.toString().match(/pts_time:([\d.]+)/)[1]);
  const samples = new Float32Array(stdout.buffer, stdout.byteOffset, stdout.length >> 2);
  const beeps = [];
  // What it begins with may be the middle of a beep.
  let quiet = 0;
  samples.forEach((sample, i) => {
    if (Math.abs(sample) < BEEP) return void (quiet += 1);
    if (quiet > RATE / 2) beeps.push((first + i / RATE) * 1_000);
    quiet = 0;
  });
  return beeps;
}

/** The pictures' times in the media, and what their timecodes say, in milliseconds. */
async function timecodesOf(file) {
  const { width, height } = TimecodeLuma;
  const blocks = `crop=iw:floor(ih/36):0:ih-floor(ih/24),scale=${width}:${height}:flags=area`;
  const filter = `${blocks},format=gray,showinfo`;
  const args = ['-copyts', '-i', file, '-vf', filter, '-fps_mode', 'passthrough'];
  const { stdout, stderr } = await run(
    await ffmpegPath(),
    ['-hide_banner', ...args, '-f', 'rawvideo', '-'],
    OUTPUT,
  );
  const times = [...stderr.toString().matchAll(/ pts_time:([\d.]+)/g)].map(([, time]) => time);
  return times.flatMap((time, i) => {
    const luma = stdout.subarray(i * width * height, (i + 1) * width * height);
    const timecode = TimecodeLuma.read(luma);
    return timecode === null ? [] : [{ time: Number(time) * 1_000, timecode }];
  });
}
