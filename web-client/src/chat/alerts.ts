import type { EventEntry } from './protocol.ts';

/** How long each is shown, and how many wait for that; the latest go when there are more. */
export const ALERT_MS = 7_000;
const MAX_WAITING = 50;

/** Cards that are shown one after the other, each but once. */
export class Alerts {
  #waiting: EventEntry[] = [];
  #shown: EventEntry | null = null;
  #shownAt = -Infinity;
  #last = 0;

  /** Takes what is in the log; what was taken before isn't taken again. */
  take(entries: readonly EventEntry[]): void {
    for (const entry of entries) {
      if (entry.seq <= this.#last) continue;
      this.#last = entry.seq;
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(entry);
    }
  }

  /** What is to be seen now; null if nothing. */
  at(now: number): EventEntry | null {
    if (now - this.#shownAt < ALERT_MS) return this.#shown;
    this.#shown = this.#waiting.shift() ?? null;
    this.#shownAt = this.#shown === null ? -Infinity : now;
    return this.#shown;
  }
}
