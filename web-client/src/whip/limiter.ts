/** What one second says of a limit: too much is asked of it, it just holds, or there is room for more. */
export type Verdict = 'over' | 'holds' | 'room';

export interface LimiterTimes {
  /** So long too much is asked before less is: a short dip heals by itself. */
  downMs: number;
  /** So long there is room before more is tried, at first. */
  upMs: number;
}

export interface Levels {
  present: number;
  lowest: number;
  fitting?: number;
}

/** Nothing is tried more rarely than this. */
const MAX_UP_MS = 120_000;
/** More that is given up within this time was a mistake: the next attempt waits twice as long. */
const PROBATION_MS = 20_000;

/**
 * How far down the ladder one limit (uplink, computer) asks to go. Down soon, by as much as it takes; up slowly, one step
 * at a time, and ever more slowly where it failed.
 *
 * Call `judge` about once a second; `level` is the result. Times are in ms of one clock.
 */
export class Limiter {
  level = 0;
  readonly #times: LimiterTimes;
  #overSince: number | null = null;
  #roomSince: number | null = null;
  #raisedAt: number | null = null;
  #upMs: number;

  constructor(times: LimiterTimes) {
    this.#times = times;
    this.#upMs = times.upMs;
  }

  /**
   * `present` is the level that the verdict is about, which another limit may have asked for; `lowest` is the last one;
   * `fitting`, where it is known, the best that the limit allows.
   */
  judge(now: number, verdict: Verdict, { present, lowest, fitting = 0 }: Levels): void {
    this.#overSince = verdict === 'over' ? (this.#overSince ?? now) : null;
    this.#roomSince = verdict === 'room' ? (this.#roomSince ?? now) : null;
    if (this.#overSince !== null && now - this.#overSince >= this.#times.downMs) {
      this.#lower(now, Math.min(lowest, Math.max(present + 1, fitting)));
    } else if (this.#roomSince !== null && now - this.#roomSince >= this.#upMs) {
      this.#raise(now);
    } else if (this.#raisedAt !== null && now - this.#raisedAt >= PROBATION_MS) {
      this.#raisedAt = null;
      this.#upMs = this.#times.upMs;
    }
  }

  /** The path or the work is another one now. What was learnt of the old one is forgotten, but not how far down. */
  restart(): void {
    this.#overSince = null;
    this.#roomSince = null;
    this.#raisedAt = null;
  }

  reset(): void {
    this.level = 0;
    this.restart();
    this.#upMs = this.#times.upMs;
  }

  #lower(now: number, level: number): void {
    if (this.#raisedAt !== null && now - this.#raisedAt < PROBATION_MS) {
      this.#upMs = Math.min(this.#upMs * 2, MAX_UP_MS);
    }
    this.#raisedAt = null;
    this.level = level;
    this.#overSince = now;
  }

  #raise(now: number): void {
    this.#roomSince = now;
    if (this.level === 0) return;
    this.level -= 1;
    this.#raisedAt = now;
  }
}
