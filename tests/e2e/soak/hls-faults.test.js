import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { artifact, report } from '../lib/artifacts.js';
import { Bench } from '../lib/bench.js';
import { launchChromium, openBench } from '../lib/chromium.js';
import { gaps } from '../lib/gaps.js';
import { readMediaPlaylist } from '../lib/hls-playlists.js';
import { ffmpegPath } from '../lib/media.js';
import { sidecarOf } from '../lib/sidecar-process.js';
import { besideOnSmallDisk, onSmallDisk, seenFrom } from '../lib/small-disk.js';
import { Spillway } from '../lib/spillway.js';
import { closeSession, publishFrom, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

/**
 * A broadcast of Chromium's, on which everything is done that publishers, machines and disks do, one thing after the other: who watches
 * over WebRTC sees only what the publisher did, LL-HLS goes on, and what could be recorded is.
 */
const CHANNEL = 'show';
const TEST = 'soak-hls-faults';
/** What a step is given before and after it. */
const SETTLE_MS = 8_000;
const SILENCE_MS = 30_000;
/** LL-HLS goes on within this time. */
const RESUMES_MS = 5_000;
/** A picture that stands for less was the machine's doing. */
const MAX_FREEZE_MS = 1_500;
const DISK_MIB = 256;
const RESERVE_MIB = 96;

let spillway;
/** Its data directory, as it's seen from here. */
let folder;
let bench;
let chromium;
let publisher;
let viewer;
let edges;
const figures = {};

before(async () => {
  spillway = await Spillway.start({
    test: TEST,
    prefix: onSmallDisk(DISK_MIB),
    env: { SPILLWAY_RESERVE: `${RESERVE_MIB}M`, SPILLWAY_CHANNELS_RECONNECT_GRACE: '4s' },
    hls: true,
  });
  spillway.beside = besideOnSmallDisk(spillway.pid);
  folder = seenFrom(spillway.pid, spillway.dataDir);
  bench = await Bench.start();
  chromium = await launchChromium();
});

after(async () => {
  edges?.stop();
  await chromium?.close();
  await bench?.stop();
  await spillway?.stop();
});

const json = async (pathname) => (await fetch(spillway.url(pathname))).json();
const recording = async () => (await json(`/api/v1/channels/${CHANNEL}/recordings`)).items[0];

/** When the live playlist of the best rendition got something new, in Unix milliseconds. */
class EdgeWatch {
  changes = [];
  #timer;
  #last;

  constructor(url) {
    this.#timer = setInterval(() => void this.#look(url), 200);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** The longest time without anything new from then on. */
  longestFrom(from) {
    const times = [...this.changes.filter((at) => at >= from), Date.now()];
    return Math.max(...times.map((at, i) => at - (times[i - 1] ?? from)));
  }

  async #look(url) {
    const response = await fetch(url).catch(() => null);
    if (!response?.ok) return;
    const { segments, growing } = readMediaPlaylist(await response.text());
    const edge = growing.at(-1)?.uri ?? segments.at(-1)?.uri;
    if (edge === this.#last) return;
    this.#last = edge;
    this.changes.push(Date.now());
  }
}

/** Changes what the publisher's page sends of pictures: `change` runs there, with the sender. */
const onSender = (change, kind = 'video') =>
  publisher.evaluate(
    async ([code, of]) => {
      const { peer } = window.publisher;
      window.tracks ??= peer.getSenders().map((sender) => [sender, sender.track]);
      const [sender, track] = window.tracks.find(([, { kind }]) => kind === of);
      await new Function('sender', 'track', `return (${code})(sender, track);`)(sender, track);
    },
    [change.toString(), kind],
  );

const viewerFrames = () => viewer.evaluate(() => window.viewer.frames);

/** The longest freeze of the WebRTC viewer from then on. */
async function freezeFrom(from) {
  return Math.round(gaps(await viewerFrames(), from)[0]?.ms ?? 0);
}

/** Does something, and looks at what was to be seen of it. `excused`: pictures are missing for so long by the publisher's own will. */
async function step(name, act, { excused = 0, lasts = 0 } = {}) {
  await sleep(SETTLE_MS);
  const from = Date.now();
  await act();
  await sleep(lasts + SETTLE_MS);
  const freeze = await freezeFrom(from);
  const stood = edges.longestFrom(from);
  figures[name] = { freeze, stood };
  assert.ok(freeze < excused + MAX_FREEZE_MS, `${name}: WebRTC stood for ${freeze} ms`);
  assert.ok(stood < RESUMES_MS, `${name}: LL-HLS stood for ${stood} ms`);
}

test('a broadcast is on air, and recorded', async () => {
  publisher = await openBench(chromium, bench);
  await publishFrom(publisher, {
    url: spillway.url(`/whip/${CHANNEL}`),
    token: await spillway.token('publish', CHANNEL),
    width: 640,
    height: 360,
    bitrate: 800_000,
  });
  viewer = await openBench(chromium, bench);
  await until('it can be watched', async () => {
    try {
      await viewIn(viewer, { url: spillway.url(`/whep/${CHANNEL}`), timecodes: false });
      return true;
    } catch {
      return false;
    }
  });
  await until('pictures come', async () => (await viewerFrames()).length > 30);
  edges = new EdgeWatch(spillway.url(`/hls/${CHANNEL}/source/index.m3u8`));
  await until('LL-HLS is there', () => edges.changes.length > 10, { timeout: 30_000 });
  await until('it is recorded', async () => (await recording())?.state === 'recording');
});

test('its size changes, down and up', async () => {
  const scale = async (by) => {
    await onSender(`async (sender) => {
      const parameters = sender.getParameters();
      parameters.encodings[0].scaleResolutionDownBy = ${by};
      await sender.setParameters(parameters);
    }`);
  };
  await step('smaller', () => scale(2));
  await step('larger', () => scale(1));
});

test('its codec changes', async () => {
  await step('H.264', () =>
    onSender(`async (sender) => {
      const parameters = sender.getParameters();
      parameters.encodings[0].codec = parameters.codecs.find((c) => c.mimeType === 'video/H264');
      await sender.setParameters(parameters);
    }`),
  );
  const codec = await viewer.evaluate(async () => (await window.viewer.inbound('video')).mimeType);
  assert.equal(codec, 'video/H264');
});

test('its video pauses', async () => {
  const pause = 6_000;
  const act = async () => {
    await onSender('(sender) => sender.replaceTrack(null)');
    await sleep(pause);
    await onSender('(sender, track) => sender.replaceTrack(track)');
  };
  await step('paused', act, { excused: pause + 500 });
});

test('nothing comes for half a minute', async () => {
  const act = async () => {
    for (const kind of ['video', 'audio'])
      await onSender('(sender) => sender.replaceTrack(null)', kind);
    await sleep(SILENCE_MS);
    for (const kind of ['video', 'audio'])
      await onSender('(sender, track) => sender.replaceTrack(track)', kind);
  };
  await step('silent', act, { excused: SILENCE_MS + 500 });
});

test('its sidecar is killed', async () => {
  await step('killed', async () => process.kill(await sidecarOf(spillway.pid), 'SIGKILL'));
});

test('its disk fills up, and the database has room', async () => {
  const ballast = path.join(folder, 'ballast');
  const { bavail, bsize } = await fs.statfs(folder);
  // A few seconds of the broadcast above what is reserved.
  const bytes = bavail * bsize - (RESERVE_MIB << 20) - (1 << 20);
  await step('disk', async () => {
    await fs.writeFile(ballast, Buffer.alloc(bytes));
    await until('the log says so', () => /the disk is nearly full/.test(spillway.log), {
      timeout: 60_000,
    });
    const admin = { headers: { authorization: `Bearer ${await spillway.token('admin')}` } };
    const told = await until('the recording says so', async () => {
      const { broadcast } = await recording();
      const answer = await fetch(spillway.url(`/api/v1/recordings/${broadcast}`), admin);
      const { problem } = await answer.json();
      return problem?.includes('--reserve') && problem;
    });
    figures.problem = told;
    assert.equal((await recording()).problem ?? null, null, 'not everybody is told');
    // Gone on with for so long that more would be written than there is.
    await sleep(10_000);
    await spillway.createChannel('other');
    const left = await fs.statfs(folder);
    figures.leftMiB = Math.round((left.bavail * left.bsize) / (1 << 20));
    assert.ok(figures.leftMiB >= RESERVE_MIB - 4, `${figures.leftMiB} MiB are left`);
    await fs.rm(ballast);
    await until('it is recorded again', () => /the disk has room again/.test(spillway.log));
  });
});

test('its recording is whole, but for what found no room', async () => {
  await closeSession(publisher, 'publisher');
  const whole = await until(
    'it is finished',
    async () => {
      const one = await recording();
      return one.state === 'ready' && one;
    },
    { timeout: 90_000, interval: 500 },
  );
  const onAir = (Date.parse(whole.ended_at) - Date.parse(whole.started_at)) / 1_000;
  Object.assign(figures, { onAir, recorded: whole.duration_ms / 1_000 });
  report(TEST, figures);
  const file = artifact(TEST, 'video.mp4');
  await fs.writeFile(
    file,
    Buffer.from(await (await fetch(spillway.url(whole.video))).arrayBuffer()),
  );
  // Pictures are given their own times: they needn't be a whole number of FFmpeg's guess of the rate apart.
  const output = ['-enc_time_base', 'demux', '-f', 'null', '-'];
  const args = ['-hide_banner', '-v', 'error', '-i', file, ...output];
  const { stderr } = await promisify(execFile)(await ffmpegPath(), args);
  assert.equal(stderr, '');
  // The kill takes some seconds, the disk some more than ten.
  assert.ok(onAir - figures.recorded < 40, `${figures.recorded} s of ${onAir} s`);
});
