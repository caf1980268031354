import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { artifact, report } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { harness } from '../lib/harness.js';
import { ffmpegPath } from '../lib/media.js';
import { Process } from '../lib/process.js';
import { until } from '../lib/wait.js';

/** Captions (docs/hls.md): espeak-ng speaks, FFmpeg publishes, pocketsphinx recognizes, the watch page shows. */
const parts = harness('captions', {
  env: { SPILLWAY_HLS_ARGS: '--captions,pocketsphinx', SPILLWAY_CHANNELS_RECONNECT_GRACE: '2s' },
  hls: true,
});
const SENTENCE =
  'We are going to the park with our children. We are going to the park with our children.';
/** Some of these are understood. */
const WORDS = ['going', 'park', 'our', 'children'];
const run = promisify(execFile);
let publisher;
/** A caption that was told over WebRTC, and the Unix time of its beginning in milliseconds. */
let live;

/** The cues of a file of WebVTT whose clock shows LOCAL at that Unix time. */
function beginnings(file, date) {
  const ms = (clock) => {
    const [hours, minutes, seconds] = clock.split(':').map(Number);
    return Math.round(((hours * 60 + minutes) * 60 + seconds) * 1_000);
  };
  const [head, ...cues] = file.trim().split('\n\n');
  const local = ms(/LOCAL:(\S+)/.exec(head)[1]);
  return cues.map((cue) => {
    const [times, ...lines] = cue.split('\n');
    return { from: date + ms(times.split(' ')[0]) - local, text: lines.join('\n') };
  });
}

const hits = (text) => WORDS.filter((word) => new RegExp(`\\b${word}\\b`).test(text));

test('what is said is shown by hls.js', async () => {
  const { spillway, test: name } = parts;
  const speech = path.join(spillway.dataDir, 'speech.wav');
  await run('espeak-ng', ['-v', 'en-us', '-s', '150', '-w', `${speech}.raw`, SENTENCE]);
  // With a pause, since it's repeated.
  const pause = ['-af', 'apad=pad_dur=1.5', '-ar', '48000', '-ac', '2'];
  await run(await ffmpegPath(), ['-v', 'error', '-i', `${speech}.raw`, ...pause, speech]);
  await spillway.createChannel('speech');
  const token = await spillway.token('publish', 'speech');
  publisher = new Process({
    test: name,
    name: 'ffmpeg',
    command: await ffmpegPath(),
    args: [
      ...['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=30'],
      ...['-stream_loop', '-1', '-i', speech, '-map', '0:v', '-map', '1:a'],
      ...['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-g', '60'],
      ...['-c:a', 'libopus', '-ar', '48000', '-ac', '2'],
      ...['-f', 'whip', '-authorization', token, spillway.url('/whip/speech')],
    ],
  });
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(spillway.url('/watch/speech?player=hls'));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
  await page.mouse.move(300, 300);
  await page.click('#captions button');
  await page.click('#captions-menu button:nth-child(2)');
  const seen = await page.waitForFunction(
    (words) => {
      const [track] = document.querySelector('video').textTracks;
      const active = [...(track.activeCues ?? [])].map(({ text }) => text).join(' ');
      window.shown = new Set([...(window.shown ?? []), ...active.split(/\s/)]);
      const hits = words.filter((word) => window.shown.has(word));
      return hits.length >= 2 ? hits : false;
    },
    WORDS,
    { timeout: 60_000, polling: 100 },
  );
  report(name, { shown: await seen.jsonValue() });
  // What comes over the chat's WebSocket as well isn't shown twice.
  assert.equal(await page.isVisible('#caption'), false);
  await page.mouse.move(310, 300);
  await page.screenshot({ path: artifact(name, 'captions.png') });
  // What was chosen holds for the next player.
  const mode = () =>
    page.evaluate(() => document.querySelector('#video').textTracks[0]?.mode ?? null);
  await page.click('#players [data-player=webrtc]');
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
  await page.waitForSelector('#caption', { state: 'visible', timeout: 30_000 });
  assert.notEqual(await mode(), 'showing');
  await page.click('#players [data-player=hls]');
  await page.waitForSelector('html[data-player="hls"][data-state="playing"]');
  await until('captions are shown again', async () => (await mode()) === 'showing');
  await page.keyboard.press('c');
  assert.equal(await mode(), 'disabled');
  await page.context().close();
});

test('a viewer over WebRTC reads it too: it comes over the data channel', async () => {
  const { spillway, test: name } = parts;
  const bot = await Chatter.join(spillway, 'speech', { name: 'Bot' });
  const heard = new Promise((resolve) => {
    bot.socket.on('message', (data) => {
      const told = JSON.parse(data).find(({ type }) => type === 'caption');
      if (told !== undefined) resolve({ told, at: Date.now() });
    });
  });
  const page = await (await parts.chromium.newContext()).newPage();
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  await page.goto(spillway.url('/watch/speech'));
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
  // Offered as soon as one has come.
  await page.waitForSelector('#captions:not([hidden])', { state: 'attached', timeout: 60_000 });
  await page.mouse.move(300, 300);
  await page.click('#captions button');
  await page.click('#captions-menu button:nth-child(2)');
  const seen = await page.waitForFunction(
    (words) => {
      const line = document.querySelector('#caption');
      const text = line.hidden ? '' : line.textContent;
      window.shown = new Set([...(window.shown ?? []), ...text.split(/\s/)]);
      const hits = words.filter((word) => window.shown.has(word));
      return hits.length >= 2 ? hits : false;
    },
    WORDS,
    { timeout: 60_000, polling: 100 },
  );
  await page.mouse.move(310, 300);
  await page.screenshot({ path: artifact(name, 'webrtc.png') });
  assert.deepEqual(sockets, [], 'the picture’s own connection carries them');
  // By its own time what comes was said seconds before.
  const { broadcast } = await bot.next('welcome');
  const { told, at } = await heard;
  live = { text: told.text, from: broadcast.started_at + told.from };
  const behindMs = at - live.from;
  report(name, { shownOverWebRtc: await seen.jsonValue(), told, behindMs });
  assert.ok(behindMs > 500 && behindMs < 60_000, `${behindMs} ms`);
  const late = await Chatter.join(spillway, 'speech');
  await late.next('presence');
  assert.ok(!late.received.some(({ type }) => type === 'caption'), 'what is over isn’t told');
  bot.close();
  late.close();
  await page.context().close();
});

test('the recording has them where they were said', async () => {
  await publisher.stop('SIGINT');
  const { spillway } = parts;
  const { items } = await (await spillway.api('/api/v1/channels/speech/recordings')).json();
  const playlist = await until(
    'the recording is whole',
    async () => {
      const response = await fetch(spillway.url(items[0].playlist));
      const text = await response.text();
      return text.includes('TYPE=SUBTITLES') && text;
    },
    { timeout: 60_000, interval: 250 },
  );
  assert.match(playlist, /LANGUAGE="en".*URI="captions\/index\.m3u8"/);
  const base = spillway.url(items[0].playlist.replace('index.m3u8', 'captions/'));
  const list = await (await fetch(`${base}index.m3u8`)).text();
  // One for each stretch between discontinuities.
  const files = list.split('\n').filter((line) => line.endsWith('.vtt'));
  const texts = files.map(async (file) => {
    const response = await fetch(base + file);
    assert.match(response.headers.get('content-type'), /^text\/vtt/);
    return response.text();
  });
  const text = (await Promise.all(texts)).join('\n');
  assert.ok(hits(text).length >= 2, text);
  // At the very time that was told to those who watched over WebRTC.
  const dates = list.match(/(?<=PROGRAM-DATE-TIME:).*/g).map((date) => Date.parse(date));
  const cues = (await Promise.all(texts)).flatMap((file, i) => beginnings(file, dates[i]));
  const same = cues.filter((cue) => cue.text === live.text);
  assert.ok(
    same.some(({ from }) => Math.abs(from - live.from) <= 2),
    JSON.stringify({ live, same }),
  );
});
