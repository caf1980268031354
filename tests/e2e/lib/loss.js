import { gaps } from './gaps.js';
import { sleep } from './wait.js';

const FREEZE_MS = 300;

/** What a viewer's browser counted so far, and how many pictures the publisher has sent. */
async function counters(page, sentFrames) {
  const [video, audio] = await page.evaluate(() =>
    Promise.all([window.viewer.inbound('video'), window.viewer.inbound('audio')]),
  );
  return { at: Date.now(), sent: sentFrames(), video, audio };
}

/**
 * Watches for `seconds`. `sentFrames` tells how many pictures left the publisher so far.
 *
 * @param {import('playwright-core').Page} page
 * @param {() => number} sentFrames
 */
export async function watch(page, sentFrames, seconds) {
  const before = await counters(page, sentFrames);
  await sleep(seconds * 1_000);
  const after = await counters(page, sentFrames);
  const frames = await page.evaluate(() => window.viewer.frames);
  const stood = gaps(frames, before.at, after.at).filter(({ ms }) => ms > FREEZE_MS);
  const [video, audio] = ['video', 'audio'].map((kind) => difference(before[kind], after[kind]));
  return {
    seconds,
    decodedShare: video.framesDecoded / (after.sent - before.sent),
    freezes: stood.length,
    longestGapMs: gaps(frames, before.at, after.at)[0]?.ms ?? Infinity,
    worst: stood.slice(0, 5).map((gap) => ({ ...gap, at: Math.round(gap.at - before.at) })),
    lostShare: video.packetsLost / (video.packetsLost + video.packetsReceived),
    retransmitted: video.retransmittedPacketsReceived,
    nacks: video.nackCount,
    keyframeRequests: video.pliCount,
    repairPackets: video.fecPacketsReceived ?? 0,
    repairPacketsDiscarded: video.fecPacketsDiscarded ?? 0,
    bufferMs: (1_000 * video.jitterBufferDelay) / video.jitterBufferEmittedCount,
    framesDropped: video.framesDropped,
    width: frames.at(-1).width,
    concealedShare:
      (audio.concealedSamples - audio.silentConcealedSamples) / audio.totalSamplesReceived,
    soundBufferMs: (audio.jitterBufferDelay * 1_000) / audio.jitterBufferEmittedCount,
    soundKbits: (audio.bytesReceived * 8) / (after.at - before.at),
    soundNacks: audio.nackCount,
  };
}

function difference(before, after) {
  const numbers = Object.entries(after).filter(([, value]) => typeof value === 'number');
  return Object.fromEntries(numbers.map(([name, value]) => [name, value - (before[name] ?? 0)]));
}
