/** How far behind live is as near as can be, and what a broken-off picture adds to that, in seconds; at most so much of it. */
const STALL_COST_S = 0.1;
const MAX_STALL_COST_S = 1;
/** What a picture that broke off added is taken back after so long without another one. */
const FORGET_MS = 30_000;
/** Further behind than that it plays faster, until it is this near again. Seconds. */
const LATE_S = 0.1;
const CAUGHT_UP_S = 0.02;
/** Only with so much left to play: to run dry costs more than is gained. */
const MIN_AHEAD_S = 0.3;
/** How much faster: not heard in speech, nor seen. */
const CATCH_UP_RATE = 1.05;
/** Further behind than that, in seconds, it would take a minute: it jumps. */
const FAR_S = 3;
/** A playlist that wasn't read anew for so long tells nothing of live. Seconds. */
const STALE_S = 1;
/** A picture that stands for so long while the broadcast goes on won't move by itself. */
const STUCK_MS = 5_000;
/** What was done about either has so long to show. */
const PATIENCE_MS = 5_000;

/** What is seen of a live player. */
export interface Look {
  /** What is shown, in seconds. */
  position: number;
  isPaused: boolean;
  /** How far that is behind the newest there is, and how old the news of that is; null before there are any. Seconds. */
  behind: { s: number; ageS: number } | null;
  /** How far behind it is to be, in seconds. */
  target: number;
  /** What is there to be played on, in seconds. */
  ahead: number;
}

/** What to do now, beside playing at `rate`. */
export type Step =
  | { name: 'play'; rate: number }
  /** To where live is. */
  | { name: 'jump' }
  /** It doesn't move by itself: to load anew; to begin the decoder's buffers anew; to leave it to another player. */
  | { name: 'load-anew' }
  | { name: 'begin-anew' }
  | { name: 'give-up' };

const REMEDIES = ['load-anew', 'begin-anew', 'give-up'] as const;

/**
 * Keeps a live player as near to live as its path lets it, and moving.
 *
 * hls.js has a rule for the first, which never holds as near to live as parts allow: it wants a second of buffer to catch up, and
 * stays a second later after each time that it ran dry. For the second it has a watchdog that skips holes in the buffer, not one for
 * loads that came to nothing, as happens to sound at a discontinuity near its beginning.
 */
export class LiveSync {
  #stallCost = 0;
  #stalledAt = -Infinity;
  #isCatchingUp = false;
  #actedAt = -Infinity;
  #position: number | null = null;
  #movedAt: number | null = null;
  #remedies = 0;

  /** The player ran dry. */
  stalled(now: number): void {
    this.#stallCost = Math.min(this.#stallCost + STALL_COST_S, MAX_STALL_COST_S);
    this.#stalledAt = now;
  }

  observe(now: number, look: Look): Step {
    this.#forget(now);
    const isOn = look.behind !== null && look.behind.ageS < STALE_S;
    const stood = this.#stoodFor(now, look, isOn);
    if (stood >= STUCK_MS) return this.#remedy(now);
    if (look.behind === null || look.isPaused || !isOn) return this.#play(false);
    const late = look.behind.s + look.behind.ageS - look.target - this.#stallCost;
    if (late > FAR_S && stood === 0 && now - this.#actedAt >= PATIENCE_MS) {
      this.#actedAt = now;
      return { name: 'jump' };
    }
    const isLate = late > (this.#isCatchingUp ? CAUGHT_UP_S : LATE_S);
    return this.#play(isLate && look.ahead > MIN_AHEAD_S);
  }

  #play(isLate: boolean): Step {
    this.#isCatchingUp = isLate;
    return { name: 'play', rate: isLate ? CATCH_UP_RATE : 1 };
  }

  #forget(now: number): void {
    if (now - this.#stalledAt < FORGET_MS || this.#stallCost === 0) return;
    this.#stallCost = Math.max(0, this.#stallCost - STALL_COST_S);
    this.#stalledAt = now;
  }

  /** How long the picture has stood though there is more to come, in milliseconds. */
  #stoodFor(now: number, { position, isPaused }: Look, isOn: boolean): number {
    const hasMoved = position !== this.#position;
    this.#position = position;
    if (hasMoved || isPaused || !isOn || this.#movedAt === null) this.#movedAt = now;
    // What moves for a moment only isn't mended.
    if (hasMoved && now - this.#actedAt >= PATIENCE_MS) this.#remedies = 0;
    return now - this.#movedAt;
  }

  #remedy(now: number): Step {
    const name = REMEDIES[this.#remedies] ?? 'give-up';
    this.#remedies += 1;
    this.#actedAt = now;
    this.#movedAt = now;
    return { name };
  }
}
