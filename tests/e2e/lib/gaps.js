/** How long pictures stood still, from the frames that a viewer showed (`lib/browser/view.js`). */

const CLOCK_RATE = 90_000;

/**
 * The gaps between shown frames that end after `from` and begin before `to` (Unix milliseconds), the longest first.
 *
 * Each tells when it began, how long it was on the screen (`ms`), on the network (`receivedMs`: from one frame's last
 * packet to the other's) and in the broadcast (`mediaMs`), and how many shown frames the page itself missed.
 */
export function gaps(frames, from = -Infinity, to = Infinity) {
  const pairs = frames.slice(1).map((frame, i) => [frames[i], frame]);
  return pairs
    .filter(([before, after]) => after.unixMs > from && before.unixMs < to)
    .map(([before, after]) => ({
      at: before.unixMs,
      ms: round(after.at - before.at),
      receivedMs: round(after.receivedAt - before.receivedAt),
      mediaMs: round((((after.rtpTimestamp - before.rtpTimestamp) | 0) * 1000) / CLOCK_RATE),
      missed: after.number - before.number - 1,
      size: before.width === after.width ? before.width : `${before.width}-${after.width}`,
    }))
    .sort((a, b) => b.ms - a.ms);
}

/** The longest gap's milliseconds, 0 without any. */
export function longestGap(frames, from, to) {
  return gaps(frames, from, to)[0]?.ms ?? 0;
}

/** When the first frame of this width was shown after `from`, or undefined. */
export function firstOfWidth(frames, width, from) {
  return frames.find((frame) => frame.unixMs > from && frame.width === width)?.unixMs;
}

/** Share of the time from `from` to `to` in which a frame of this width was the one that was shown. */
export function shareOfWidth(frames, width, from, to) {
  let shown = 0;
  for (const [i, frame] of frames.entries()) {
    const until = frames[i + 1]?.unixMs ?? to;
    const within = Math.min(until, to) - Math.max(frame.unixMs, from);
    if (frame.width === width && within > 0) shown += within;
  }
  return shown / (to - from);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
