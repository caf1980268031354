import type { Caption } from './protocol.ts';

/** So many are kept; the eldest go. */
const MAX_KEPT = 50;
/** So many languages can be chosen from. */
const MAX_LANGUAGES = 8;
/** How long one is shown, whatever it took to say; as long as others wait, the shortest time. */
const SHORTEST_MS = 1_200;
const LONGEST_MS = 6_000;
/** Where nothing follows, what was said is read a little longer. */
const LINGER_MS = 1_500;
/** Those that would be shown so much later than they might be follow each other as fast as they may, ... */
const HURRY_MS = 4_000;
/** ... and those that would be so late are worth nothing. */
const LATE_MS = 20_000;

interface Shown {
  language: string;
  text: string;
  /** By `performance.now()`. */
  from: number;
  to: number;
}

/**
 * Captions that the server tells of, and which of them is shown now.
 *
 * One is known seconds after it was said, when a picture over WebRTC has long moved on. So it's shown as soon as it comes, as on television,
 * or when a picture that is further behind gets there; and one after the other.
 */
export class Captions {
  #shown: Shown[] = [];
  readonly #languages: string[] = [];

  get languages(): readonly string[] {
    return this.#languages;
  }

  /** @param streamTime of the picture; null without one. */
  take({ language, from, to, text }: Caption, streamTime: number | null, now: number): void {
    if (!this.#languages.includes(language)) {
      if (this.#languages.length >= MAX_LANGUAGES) return;
      this.#languages.push(language);
    }
    const due = now + Math.max(0, from - (streamTime ?? from));
    const before = this.#shown.findLast((shown) => shown.language === language);
    const start = Math.max(due, before?.to ?? due);
    const late = start - due;
    if (late > LATE_MS) return;
    const most = late > HURRY_MS ? SHORTEST_MS : LONGEST_MS;
    const length = Math.min(Math.max(to - from, SHORTEST_MS), most);
    const shown = { language, text, from: start, to: start + length };
    this.#shown = [...this.#shown, shown].slice(-MAX_KEPT);
  }

  /** What is to be read now; empty if nothing. */
  textAt(language: string, now: number): string {
    const shown = this.#shown.findLast(
      (caption) => caption.language === language && caption.from <= now,
    );
    return shown === undefined || now >= shown.to + LINGER_MS ? '' : shown.text;
  }

  /** Another broadcast says other things, in other languages. */
  clear(): void {
    this.#shown = [];
    this.#languages.length = 0;
  }
}
