import { ChatLog, MAX_SHOWN, type Line } from './log.ts';
import type { Entry } from './protocol.ts';

/**
 * What was said in a broadcast that is over, in step with its recording: at each moment what was to be seen then. What moderators took
 * back later isn't seen at all.
 */
export class Replay {
  readonly #lines: readonly Line[];
  /** The latest stream time up to each line. */
  readonly #times: readonly number[];
  #before: { count: number; lines: readonly Line[] } = { count: 0, lines: [] };

  /** `entries` are the log's, in its order. */
  constructor(entries: readonly Entry[]) {
    const log = new ChatLog(entries.length);
    const times = new Map<number, number>();
    let latest = 0;
    for (const entry of entries) {
      latest = Math.max(latest, entry.at ?? 0);
      times.set(entry.seq, latest);
      log.resumed(entry.seq);
      log.take(entry, null, 0);
    }
    log.release({ now: 0, picture: null, holdMs: 0 });
    this.#lines = log
      .lines(null)
      .filter(
        ({ entry }) => entry.type !== 'action' && !(entry.type === 'message' && entry.deleted),
      );
    this.#times = this.#lines.map(({ entry }) => times.get(entry.seq) ?? 0);
  }

  /** The latest lines at that stream time: the same array as long as nothing of it changes. */
  linesAt(streamTime: number): readonly Line[] {
    const count = countUpTo(this.#times, streamTime);
    if (count !== this.#before.count) {
      const lines = this.#lines.slice(Math.max(0, count - MAX_SHOWN), count);
      this.#before = { count, lines };
    }
    return this.#before.lines;
  }
}

/** How many of the times, which never decrease, aren't later. */
function countUpTo(times: readonly number[], latest: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= latest) low = middle + 1;
    else high = middle;
  }
  return low;
}
