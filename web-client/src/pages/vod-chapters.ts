import { byId, make } from '../shared/dom.ts';
import { formatDuration } from '../shared/format.ts';
import type { Chapter } from '../vod/chapters.ts';

/** The list of chapters under the picture. Each is a link to its moment, which a click goes to without loading the page anew. */
export class ChapterList {
  readonly #section = byId('chapters', HTMLElement);
  readonly #list = byId('chapter-list', HTMLElement);
  readonly #onPick: (chapter: Chapter) => void;
  #links: HTMLAnchorElement[] = [];
  #chapters: readonly Chapter[] = [];

  constructor(onPick: (chapter: Chapter) => void) {
    this.#onPick = onPick;
  }

  show(chapters: readonly Chapter[]): void {
    this.#section.hidden = chapters.length === 0;
    if (JSON.stringify(chapters) === JSON.stringify(this.#chapters)) return;
    this.#chapters = chapters;
    this.#links = chapters.map((chapter) => this.#link(chapter));
    this.#list.replaceChildren(...this.#links.map((link) => make('li', '', link)));
  }

  /** Marks the one that plays. */
  mark(now: Chapter | null): void {
    this.#links.forEach((link, i) => {
      const isNow = now !== null && this.#chapters[i] === now;
      if (isNow) link.ariaCurrent = 'true';
      else link.removeAttribute('aria-current');
    });
  }

  #link(chapter: Chapter): HTMLAnchorElement {
    const { at, title } = chapter;
    const time = make('time', '', formatDuration(at * 1000));
    time.dateTime = `PT${at.toFixed(3)}S`;
    const link = make('a', 'chapter', time, make('span', '', title));
    const address = new URL(location.href);
    address.searchParams.set('t', String(Math.floor(at)));
    link.href = address.href;
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#onPick(chapter);
    });
    return link;
  }
}
