import { firstOfWidth, gaps, longestGap, shareOfWidth } from './gaps.js';
import { ObsPublisher } from './obs.js';
import { Recording } from './recording.js';
import { viewIn } from './viewing.js';
import { sleep, until } from './wait.js';

export const CHANNEL = 'layers';
export const WIDE = ['--rate', '5mbit'];
export const NARROW = ['--rate', '800kbit'];
/** The link of all these scenarios. */
export const CONDITIONS = [...WIDE, '--queue', '300ms', '--delay', '20ms', '--seed', '1'];
/** The layers of the publisher (`lib/media.js`). */
export const TOP = 1280;
export const FITS_NARROW = 320;
/** Before and after each change of the rate it is to be steady for so long. */
const STEADY_MS = 10_000;

/** Publishes three layers of 2.5, 1.0 and 0.3 Mbit/s; keyframe requests are honoured. */
export async function publishLayers(spillway) {
  return ObsPublisher.start({
    url: spillway.url(`/whip/${CHANNEL}`),
    token: await spillway.token('publish', CHANNEL),
    gop: 20,
    simulcast: true,
    keyframesOnRequest: true,
  });
}

/** A viewer at the far end. */
export async function openViewer({ spillway, openFar, soundNack, soundRed, flexfec, resends }) {
  const page = await openFar();
  const url = spillway.url(`/whep/${CHANNEL}`);
  await viewIn(page, { url, timecodes: false, soundNack, soundRed, flexfec, resends });
  return page;
}

/** A viewer at the far end that has watched the layer of this width for a while. */
export async function steadyViewer(setup, width = TOP) {
  const page = await openViewer(setup);
  await until(
    `a steady picture of ${width} columns`,
    async () => {
      const frames = await framesOf(page);
      const now = Date.now();
      return frames[0]?.unixMs < now - 1_000 && shareOfWidth(frames, width, now - 3_000, now) > 0.9;
    },
    { timeout: 60_000, interval: 500 },
  );
  return page;
}

export function framesOf(page) {
  return page.evaluate(() => window.viewer.frames);
}

/** Video bytes that have arrived, headers not counted, those of resent packets neither. */
export async function videoBytes(page) {
  const { bytesReceived, retransmittedBytesReceived = 0 } = await page.evaluate(() =>
    window.viewer.inbound('video'),
  );
  return bytesReceived - retransmittedBytesReceived;
}

/**
 * One viewer whose link falls from 5 Mbit/s to 0.8 for `narrowMs` and recovers. Gives what was recorded, and figures.
 */
export async function rateDrop(
  { spillway, link, openFar },
  { narrowMs = 30_000, wideMs = 25_000 } = {},
) {
  const obs = await publishLayers(spillway);
  try {
    const page = await steadyViewer({ spillway, openFar });
    const recording = Recording.start({ spillway, link, channel: CHANNEL });
    const began = Date.now();
    await sleep(STEADY_MS);
    const dropped = await link.change(...NARROW);
    await sleep(narrowMs);
    const recovered = await link.change(...WIDE);
    await sleep(wideMs);
    const ended = Date.now();
    const samples = await recording.stop();
    const frames = await framesOf(page);
    const received = await page.evaluate(() => window.viewer.inbound('video'));
    const times = { began, dropped, recovered, ended };
    return { times, samples, frames, figures: figuresOf({ ...times, frames, received }) };
  } finally {
    await obs.stop();
  }
}

function figuresOf({ began, dropped, recovered, ended, frames, received }) {
  const after = (width, time) => (firstOfWidth(frames, width, time) ?? Infinity) - time;
  return {
    fittingLayerMs: after(FITS_NARROW, dropped),
    topAgainMs: after(TOP, recovered),
    longestFreezeMs: longestGap(frames, dropped, ended),
    longestGaps: gaps(frames, dropped, ended).slice(0, 4).map(relativeTo(dropped)),
    // Of the time after it had 10 s to settle.
    steady: {
      wide: shareOfWidth(frames, TOP, began, dropped),
      narrow: shareOfWidth(frames, FITS_NARROW, dropped + STEADY_MS, recovered),
      wideAgain: shareOfWidth(frames, TOP, recovered + STEADY_MS, ended),
    },
    switches: switches(frames, began),
    freezeCount: received.freezeCount,
    framesDropped: received.framesDropped,
    keyframeRequests: received.pliCount + (received.firCount ?? 0),
  };
}

function relativeTo(start) {
  return (gap) => ({ ...gap, at: Math.round(gap.at - start) });
}

/** Times and widths of the layers that were shown, relative to `from`. */
function switches(frames, from) {
  return frames
    .filter(({ unixMs, width }, i) => unixMs > from && width !== frames[i - 1]?.width)
    .map(({ unixMs, width }) => `${((unixMs - from) / 1000).toFixed(1)} s: ${width}`);
}
