/** At most five frames of taps a second. */
export const TAP_FRAME_MS = 200;
/** The most taps that one frame tells of. */
const MAX_COUNT = 100;
/** Taps that the server's counts still have to tell of are forgotten after so long: they may be lost. */
const FORGET_MS = 3_000;

/** Gathers the viewer's taps into frames: at most one each 200 ms, the emoji by turns. */
export class Taps {
  readonly #counts = new Map<string, number>();
  #framedAt = -Infinity;

  tap(emoji: string): void {
    this.#counts.set(emoji, Math.min((this.#counts.get(emoji) ?? 0) + 1, MAX_COUNT));
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** The next frame's content; null if it isn't time, or there's none. */
  take(now: number): { emoji: string; count: number } | null {
    if (now - this.#framedAt < TAP_FRAME_MS) return null;
    for (const [emoji, count] of this.#counts) {
      this.#counts.delete(emoji);
      this.#framedAt = now;
      return { emoji, count };
    }
    return null;
  }
}

/** One's own taps float at once; when the server counts them, they must not float again. */
export class OwnTaps {
  readonly #open = new Map<string, { count: number; at: number }>();

  tapped(emoji: string, now: number): void {
    this.#open.set(emoji, { count: this.#openOf(emoji, now) + 1, at: now });
  }

  /** How many of that count are others'. */
  others(emoji: string, count: number, now: number): number {
    const own = Math.min(this.#openOf(emoji, now), count);
    const left = this.#openOf(emoji, now) - own;
    const at = this.#open.get(emoji)?.at ?? now;
    if (left > 0) this.#open.set(emoji, { count: left, at });
    else this.#open.delete(emoji);
    return count - own;
  }

  #openOf(emoji: string, now: number): number {
    const open = this.#open.get(emoji);
    return open === undefined || now - open.at > FORGET_MS ? 0 : open.count;
  }
}
