import { Gate, type Look } from './gate.ts';
import type { ReactionCounts } from './protocol.ts';
import { OwnTaps, Taps } from './taps.ts';

/** Counts that wait for the picture; the eldest float early. */
const MAX_COUNTS = 200;

export interface ReactionPorts {
  /** Tells the server of taps. */
  say: (emoji: string, count: number) => void;
  /** Others have tapped. */
  onReaction: (emoji: string, count: number) => void;
}

/** Taps on their way to the server, and counts of them on their way to the screen. */
export class Reactions {
  readonly #ports: ReactionPorts;
  readonly #taps = new Taps();
  readonly #ownTaps = new OwnTaps();
  readonly #counts = new Gate<ReactionCounts>(MAX_COUNTS);

  constructor(ports: ReactionPorts) {
    this.#ports = ports;
  }

  get isWaiting(): boolean {
    return !this.#counts.isEmpty || !this.#taps.isEmpty;
  }

  tap(emoji: string, now: number): void {
    this.#taps.tap(emoji);
    this.#ownTaps.tapped(emoji, now);
  }

  take(counts: ReactionCounts, now: number): void {
    this.#counts.push(counts, counts.at, now);
  }

  /** Stream time begins anew. */
  restart(): void {
    this.#counts.restart();
  }

  look(look: Look): void {
    for (const { counts } of this.#counts.release(look)) {
      for (const [emoji, count] of counts) this.#float(emoji, count, look.now);
    }
    const taps = this.#taps.take(look.now);
    if (taps !== null) this.#ports.say(taps.emoji, taps.count);
  }

  #float(emoji: string, count: number, now: number): void {
    const others = this.#ownTaps.others(emoji, count, now);
    if (others > 0) this.#ports.onReaction(emoji, others);
  }
}
