import { backoffMs } from '../shared/backoff.ts';

export type Fault = 'network' | 'media' | 'other';

export type Remedy =
  | { name: 'load-again'; inMs: number }
  /** Begins the decoder's buffers anew. */
  | { name: 'recover-media' }
  /** The same with the other AAC profile: playlists may name the wrong one. */
  | { name: 'swap-audio' }
  | { name: 'give-up' };

/** Loads that may fail in a row. */
const MAX_LOADS = 4;
/** A media fault this soon after another one is the same one. */
const SAME_FAULT_MS = 5_000;

/** What to do about faults that hls.js can't mend by itself: the recipes of its documentation, with an end. */
export class Recovery {
  readonly #random: () => number;
  #loads = 0;
  #mediaFaultAt = -Infinity;
  #mediaRemedies = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  remedy(fault: Fault, now: number): Remedy {
    switch (fault) {
      case 'network':
        this.#loads += 1;
        return this.#loads > MAX_LOADS
          ? { name: 'give-up' }
          : { name: 'load-again', inMs: backoffMs(this.#loads, null, this.#random) };
      case 'media':
        return this.#mediaRemedy(now);
      case 'other':
        return { name: 'give-up' };
    }
  }

  /** Something was loaded: the failures so far are forgotten. */
  loaded(): void {
    this.#loads = 0;
  }

  #mediaRemedy(now: number): Remedy {
    const isSame = now - this.#mediaFaultAt < SAME_FAULT_MS;
    this.#mediaFaultAt = now;
    this.#mediaRemedies = isSame ? this.#mediaRemedies + 1 : 1;
    const remedies = ['recover-media', 'swap-audio'] as const;
    return { name: remedies[this.#mediaRemedies - 1] ?? 'give-up' };
  }
}
