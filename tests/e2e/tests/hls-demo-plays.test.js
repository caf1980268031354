import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { artifact, report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { quantile, sleep, until } from '../lib/wait.js';

const parts = harness('hls-demo-plays', { args: ['--demo'], hls: true });
/** How soon the picture shall move once the page is asked for. */
const START_MS = 10_000;
const MAX_LATENCY_MS = 3_000;
const TIMECODE = path.join(import.meta.dirname, '../lib/browser/timecode.js');

/** Makes `window.timecode(video)` of the bench's reader. */
async function readTimecodes(page) {
  const module = await fs.readFile(TIMECODE, 'utf8');
  const script = `(() => { ${module.replaceAll('export ', '')}
    const reader = new TimecodeReader();
    window.timecode = (video) => reader.read(video);
    return true; })()`;
  await page.evaluate(script);
}

/** The age of the picture now, by its own clock, in milliseconds; null if it can't be read. */
const pictureAge = (page) =>
  page.evaluate(() => {
    const drawn = window.timecode(document.querySelector('video'));
    return drawn === null ? null : Date.now() - drawn;
  });

/** The loudest of a second's sound, 0 to 1. */
const loudness = (page) =>
  page.evaluate(async () => {
    const video = document.querySelector('video');
    video.muted = false;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(video.captureStream()).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudest = 0;
    for (let i = 0; i < 40; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      analyser.getFloatTimeDomainData(samples);
      loudest = Math.max(loudest, ...samples.map(Math.abs));
    }
    await context.close();
    return loudest;
  });

test('the demo plays as LL-HLS, with picture and sound, close to live', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  const began = Date.now();
  await page.goto(parts.spillway.url('/watch/demo?player=hls'));
  await page.waitForSelector('html[data-state="playing"]', { timeout: START_MS });
  const startMs = Date.now() - began;
  await readTimecodes(page);
  const ages = [];
  await until('two seconds of pictures', async () => {
    const age = await pictureAge(page);
    if (age !== null) ages.push(age);
    await sleep(50);
    return ages.length >= 40;
  });
  const frames = () => page.evaluate(() => window.spillway.stats?.video.framesDecoded ?? 0);
  const before = await frames();
  await sleep(3_000);
  const after = await frames();
  assert.ok(after - before >= 45, `${after - before} pictures in 3 s`);
  assert.ok((await loudness(page)) > 0.01, 'there is no sound');
  const p95 = quantile(ages, 0.95);
  report(parts.test, { startMs, p50: quantile(ages, 0.5), p95 });
  assert.ok(p95 < MAX_LATENCY_MS, `the pictures were ${p95} ms old`);
  await page.waitForFunction(() =>
    /s behind live/.test(document.getElementById('latency').textContent),
  );
  await page.mouse.move(300, 300);
  await page.screenshot({ path: artifact(parts.test, 'demo.png') });
});

test('the switch leads to the other player and back', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url('/watch/demo'));
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
  await page.mouse.move(300, 300);
  await page.click('#players [data-player=hls]');
  await page.waitForSelector('html[data-player="hls"][data-state="playing"]');
  await page.mouse.move(320, 300);
  await page.click('#players [data-player=webrtc]');
  await page.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
});
