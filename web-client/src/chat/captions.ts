import type { Caption } from './protocol.ts';

/** So many wait for their time; the eldest go. */
const MAX_KEPT = 50;
/** So many languages can be chosen from. */
const MAX_LANGUAGES = 8;
/** What was said is read a little longer than it took to say. */
const LINGER_MS = 1_500;

/** Captions that the server tells of, and which of them belong to a moment of the picture. */
export class Captions {
  #kept: Caption[] = [];
  readonly #languages: string[] = [];

  get languages(): readonly string[] {
    return this.#languages;
  }

  take(caption: Caption): void {
    const { language } = caption;
    if (!this.#languages.includes(language)) {
      if (this.#languages.length >= MAX_LANGUAGES) return;
      this.#languages.push(language);
    }
    this.#kept = [...this.#kept, caption].slice(-MAX_KEPT);
  }

  /** What is to be read at that stream time; empty if nothing. */
  textAt(language: string, streamTime: number | null): string {
    if (streamTime === null) return '';
    const said = this.#kept.findLast(
      (caption) => caption.language === language && caption.from <= streamTime,
    );
    return said === undefined || streamTime > said.to + LINGER_MS ? '' : said.text;
  }

  /** Another broadcast says other things, in other languages. */
  clear(): void {
    this.#kept = [];
    this.#languages.length = 0;
  }
}
