import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';
import { quantile, sleep } from '../lib/wait.js';

const SETTLE_MS = 5_000;
const MEASURE_MS = Number(process.env.LATENCY_MS ?? 15_000);
const parts = harness('latency');

test('from canvas to screen a 720p30 picture takes at most 80 ms on loopback', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'latency');
  const [publisher, viewer] = [await parts.openBench(), await parts.openBench()];
  await publishFrom(publisher, { url: spillway.url('/whip/latency'), token, codec: 'H264' });
  await viewIn(viewer, { url: spillway.url('/whep/latency') });
  await assertPlays(viewer);
  await sleep(SETTLE_MS);
  const before = await counters(publisher, viewer);
  await sleep(MEASURE_MS);
  const after = await counters(publisher, viewer);
  const figures = {
    glassToGlassMs: glassToGlass(after.frames.slice(before.frames.length)),
    ...shares(before, after),
  };
  report(parts.test, figures);
  assert.ok(figures.glassToGlassMs.frames > (MEASURE_MS / 1000) * 25, 'frames with timecode');
  assert.ok(figures.glassToGlassMs.median <= 80, `median ${figures.glassToGlassMs.median} ms`);
});

async function counters(publisher, viewer) {
  const sent = await publisher.evaluate(async () => {
    const stats = await window.publisher.stats();
    return stats.find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
  });
  const received = await viewer.evaluate(() => window.viewer.inbound('video'));
  const frames = await viewer.evaluate(() => window.viewer.frames);
  return { sent, received, frames };
}

/** From drawing on the canvas to the time at which the compositor expects to show the frame. */
function glassToGlass(frames) {
  const dated = frames.filter(({ timecode }) => timecode !== null);
  const ages = dated.map(
    ({ unixMs, at, displayAt, timecode }) => unixMs + (displayAt - at) - timecode,
  );
  const part = (share) => Math.round(quantile(ages, share) * 10) / 10;
  return { frames: ages.length, median: part(0.5), p95: part(0.95), max: part(1) };
}

/** Mean milliseconds a frame spends in the encoder, the receiver's jitter buffer and the decoder. */
function shares(before, after) {
  const mean = (side, total, count) => {
    const [was, is] = [before[side], after[side]];
    return Math.round(((is[total] - was[total]) / (is[count] - was[count])) * 10_000) / 10;
  };
  return {
    encodeMs: mean('sent', 'totalEncodeTime', 'framesEncoded'),
    sendQueueMs: mean('sent', 'totalPacketSendDelay', 'packetsSent'),
    jitterBufferMs: mean('received', 'jitterBufferDelay', 'jitterBufferEmittedCount'),
    decodeMs: mean('received', 'totalDecodeTime', 'framesDecoded'),
    assemblyToDecodedMs: mean('received', 'totalProcessingDelay', 'framesDecoded'),
    networkMs: networkMs(before, after),
  };
}

/** Timecode to the arrival of the last packet, less what the encoder took. */
function networkMs(before, after) {
  const frames = after.frames.slice(before.frames.length);
  const dated = frames.filter(
    ({ timecode, receivedAt }) => timecode !== null && receivedAt !== undefined,
  );
  const ages = dated.map(
    ({ unixMs, at, receivedAt, timecode }) => unixMs - (at - receivedAt) - timecode,
  );
  const encode =
    ((after.sent.totalEncodeTime - before.sent.totalEncodeTime) * 1000) /
    (after.sent.framesEncoded - before.sent.framesEncoded);
  return Math.round((quantile(ages, 0.5) - encode) * 10) / 10;
}
