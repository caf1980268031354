/** From one moment to another, in seconds. */
export type Range = readonly [from: number, to: number];

/** What is missing between two ranges is a hole if it's shorter than that, in seconds; else it may be a segment that is yet to be loaded. */
const HOLE_S = 0.9;
/** A browser that has less than that, in seconds, before a hole may wait for what isn't there. */
const SCANT_S = 0.5;

/**
 * Where a player goes on that seeks for ever: behind the hole in which it is, or just before which. hls.js skips holes for a picture that
 * moves, not for one that is paused. Null where there's none.
 */
export function behindHole(ranges: readonly Range[], at: number): number | null {
  for (const [place, [from]] of ranges.entries()) {
    const before = ranges[place - 1];
    if (before === undefined || from - before[1] > HOLE_S) continue;
    if (at >= before[1] - SCANT_S && at < from) return from;
  }
  return null;
}

export function rangesOf({ buffered }: HTMLVideoElement): Range[] {
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
}
