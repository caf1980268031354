/** Without a picture, what came is shown so much later: about as late as the slowest player. */
export const HOLD_MS = 5_000;
/** A picture that doesn't get there holds nothing back for longer. */
const MAX_HOLD_MS = 60_000;

/** What is known at a moment, in milliseconds. */
export interface Look {
  now: number;
  /** The stream time of the picture that is seen; null without one. */
  picture: number | null;
  /** How long is waited where there's no picture. */
  holdMs: number;
}

interface Held<Item> {
  item: Item;
  /** The latest stream time up to this one. */
  at: number;
  cameAt: number;
}

/**
 * Holds what belongs to moments of the picture until it gets there, in the order in which it came. What comes earlier is never
 * let out later: an item waits for the latest stream time of all before it, too.
 */
export class Gate<Item> {
  readonly #max: number;
  #held: Held<Item>[] = [];
  #latest = -Infinity;

  /** Over so many the eldest are let out, wherever the picture is. */
  constructor(max: number) {
    this.#max = max;
  }

  get items(): Item[] {
    return this.#held.map(({ item }) => item);
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** `at` is null for what belongs to no moment of the present broadcast. */
  push(item: Item, at: number | null, cameAt: number): void {
    this.#latest = Math.max(this.#latest, at ?? -Infinity);
    this.#held.push({ item, at: this.#latest, cameAt });
  }

  /** Stream time begins anew: what is held belongs to the broadcast before. */
  restart(): void {
    this.#latest = -Infinity;
    for (const held of this.#held) held.at = -Infinity;
  }

  clear(): void {
    this.#latest = -Infinity;
    this.#held = [];
  }

  /** Lets out what may be seen now. */
  release(look: Look): Item[] {
    const over = this.#held.length - this.#max;
    const closed = this.#held.findIndex((held, place) => place >= over && !isDue(held, look));
    const out = this.#held.splice(0, closed < 0 ? this.#held.length : closed);
    return out.map(({ item }) => item);
  }
}

function isDue({ at, cameAt }: Held<unknown>, { now, picture, holdMs }: Look): boolean {
  if (at === -Infinity) return true;
  const heldMs = now - cameAt;
  return picture === null ? heldMs >= holdMs : at <= picture || heldMs >= MAX_HOLD_MS;
}
