import assert from 'node:assert/strict';
import { until } from './wait.js';

/** Publishes from a bench page; the handle stays in the page as `window.publisher`. */
export async function publishFrom(page, options) {
  await page.evaluate(async (o) => {
    window.publisher = await window.bench.publish(o);
  }, options);
}

/** Views in a bench page; the handle stays in the page as `window.viewer`. */
export async function viewIn(page, options) {
  await page.evaluate(async (o) => {
    window.viewer = await window.bench.view(o);
  }, options);
}

/** What the page's viewer has decoded so far. */
export function decoded(page) {
  return page.evaluate(async () => {
    const [video, audio] = [
      await window.viewer.inbound('video'),
      await window.viewer.inbound('audio'),
    ];
    const { frames } = window.viewer;
    return {
      mimeType: video?.mimeType,
      frames: video?.framesDecoded ?? 0,
      shown: frames.length,
      width: frames.at(-1)?.width ?? 0,
      height: frames.at(-1)?.height ?? 0,
      timecodes: frames.map(({ timecode }) => timecode),
      ages: frames
        .filter(({ timecode }) => timecode !== null)
        .map(({ unixMs, timecode }) => unixMs - timecode),
      audioMimeType: audio?.mimeType,
      audioSamples: audio?.totalSamplesReceived ?? 0,
      audioEnergy: audio?.totalAudioEnergy ?? 0,
    };
  });
}

/**
 * Waits until the page's viewer shows a moving picture with sound: frames are decoded and shown, and where the
 * picture has timecodes they run; sound has energy.
 */
export async function assertPlays(
  page,
  { frames = 30, sound = true, timecodes = true, timeout = 20_000 } = {},
) {
  const shows = async () => {
    const seen = await decoded(page);
    const heard = !sound || (seen.audioSamples > 24_000 && seen.audioEnergy > 0);
    return seen.shown >= frames && seen.frames >= frames && heard && seen;
  };
  let seen;
  try {
    seen = await until('a moving picture with sound', shows, { timeout, interval: 200 });
  } catch (error) {
    const { timecodes, ages, ...rest } = await decoded(page);
    const seenAtLast = `${JSON.stringify(rest)}, last ages ${ages.slice(-5)} of ${timecodes.length}`;
    throw new Error(`${error.message}; got ${seenAtLast}`, { cause: error });
  }
  if (timecodes) assertTimecodesRun(seen.timecodes);
  return seen;
}

/** Nearly every shown frame has an intact timecode, and they differ. */
export function assertTimecodesRun(timecodes) {
  const intact = timecodes.filter((timecode) => timecode !== null);
  assert.ok(
    intact.length >= timecodes.length * 0.9,
    `${intact.length} of ${timecodes.length} timecodes are intact`,
  );
  assert.ok(new Set(intact).size >= intact.length * 0.8, 'the picture moves');
}

/** Closes the page's session (`publisher` or `viewer`) by DELETE. */
export function closeSession(page, name) {
  return page.evaluate((handle) => window[handle].close(), name);
}
