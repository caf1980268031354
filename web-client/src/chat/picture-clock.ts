import type { ClockPair } from './protocol.ts';

/** Video's RTP timestamps count 90 a millisecond, in 32 bits. */
const TICKS_PER_MS = 90;
/** So many of the latest pairs are kept: those of some seconds of jitter buffer. */
const MAX_PAIRS = 8;
/** A frame that is older than that isn't seen any more as a moving picture. */
const STALE_MS = 3_000;
/** Pairs come once a second; without them for so long, the wall clock alone tells nothing. */
const PAIR_STALE_MS = 15_000;

type Pair = Pick<ClockPair, 'rtp' | 'at'> & { cameAt: number };

/** The latest frame on screen. */
export interface ShownFrame {
  rtp: number;
  shownAt: number;
}

/**
 * The stream time of the picture that is seen over WebRTC: what the node says of some frames' RTP timestamps, and the timestamp
 * of the frame that is shown. One for each session: the next one counts from elsewhere.
 */
export class PictureClock {
  #pairs: Pair[] = [];

  pair({ rtp, at }: Pick<ClockPair, 'rtp' | 'at'>, now: number): void {
    this.#pairs = [...this.#pairs, { rtp, at, cameAt: now }].slice(-MAX_PAIRS);
  }

  /**
   * Null where it can't be told. Browsers that don't tell which frame is shown have none; for them `delayMs` is how long pictures take
   * from their arrival to the screen.
   */
  time(frame: ShownFrame | null, now: number, delayMs: number): number | null {
    const newest = this.#pairs.at(-1);
    if (newest === undefined) return null;
    if (frame !== null) {
      return now - frame.shownAt > STALE_MS ? null : this.#timeOf(frame.rtp, newest);
    }
    const age = now - newest.cameAt;
    return age > PAIR_STALE_MS ? null : Math.max(0, newest.at + age - delayMs);
  }

  /** The latest pair before the frame tells; stream time may have leapt after it. */
  #timeOf(rtp: number, newest: Pair): number {
    const before = this.#pairs.findLast((pair) => ticksBetween(pair.rtp, rtp) >= 0);
    const { rtp: from, at } = before ?? this.#pairs[0] ?? newest;
    return Math.max(0, at + ticksBetween(from, rtp) / TICKS_PER_MS);
  }
}

/** How far it is from one RTP timestamp to another, the shorter way round. */
export function ticksBetween(from: number, to: number): number {
  return (to - from) | 0;
}
