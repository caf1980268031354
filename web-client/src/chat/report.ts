import type { Report } from './protocol.ts';

/** What a player does at a moment. */
export interface Sample {
  player: Report['player'];
  /** `stands`: it should move. */
  picture: 'moves' | 'stands' | 'none';
  /** How often and how long it froze since its session began, as far as the player counts that itself. */
  freezes: number;
  frozenMs: number;
  latencyMs: number | null;
  /** Of the picture, in pixels; 0 if unknown. */
  height: number;
}

/** A page that slept tells nothing of the time between. */
const MAX_STEP_MS = 5_000;

/** Sums up how the player does, from a look at it about once a second. */
export class Viewing {
  #before: { at: number; sample: Sample } | null = null;
  /** Before the pause. */
  #last: Sample | null = null;
  #playedMs = 0;
  #stalledMs = 0;
  #stalls = 0;

  observe(now: number, sample: Sample): void {
    const before = this.#before;
    this.#before = { at: now, sample };
    if (before === null) return;
    const passed = Math.min(now - before.at, MAX_STEP_MS);
    if (sample.picture === 'moves') this.#moved(passed, before.sample, sample);
    else if (sample.picture === 'stands') {
      this.#stalledMs += passed;
      if (before.sample.picture === 'moves') this.#stalls += 1;
    }
  }

  /** How much was seen since the last report, in milliseconds. */
  get seenMs(): number {
    return this.#playedMs + this.#stalledMs;
  }

  /** Nobody looks until it's observed again: what is between isn't told. */
  pause(): void {
    if (this.#before !== null) this.#last = this.#before.sample;
    this.#before = null;
  }

  /** What happened since the last report; null if there was nothing to see. */
  take(): Report | null {
    const sample = this.#before?.sample ?? this.#last;
    const [played, stalled] = [Math.round(this.#playedMs), Math.round(this.#stalledMs)];
    const stalls = this.#stalls;
    this.#playedMs = this.#stalledMs = this.#stalls = 0;
    if (sample === null || played + stalled === 0) return null;
    return {
      player: sample.player,
      played_ms: played,
      stalled_ms: stalled,
      stalls,
      ...(sample.latencyMs !== null && { latency_ms: Math.max(0, Math.round(sample.latencyMs)) }),
      ...(sample.height > 0 && { height: sample.height }),
    };
  }

  /** Short freezes show in the player's own counters only, which begin anew with a session. */
  #moved(passed: number, before: Sample, sample: Sample): void {
    const freezes = Math.max(0, sample.freezes - before.freezes);
    const frozen = Math.min(Math.max(0, sample.frozenMs - before.frozenMs), passed);
    this.#stalls += freezes;
    this.#stalledMs += frozen;
    this.#playedMs += passed - frozen;
  }
}
