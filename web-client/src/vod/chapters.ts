import { parseVtt } from './vtt.ts';

/** Where a part of a recording begins, in seconds, and what it's called. */
export interface Chapter {
  at: number;
  title: string;
}

/** The entities that WebVTT knows (§3.3), since a title is text and no markup. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
  '&nbsp;': ' ',
  '&lrm;': '',
  '&rlm;': '',
};

/** Reads a WebVTT file of chapters, in the order of their times. */
export function parseChapters(file: string): Chapter[] {
  return parseVtt(file)
    .map(({ start, text }) => ({ at: start, title: plain(text) }))
    .filter(({ title }) => title !== '')
    .sort((a, b) => a.at - b.at);
}

/** The chapter that a moment is in; null before the first one. */
export function chapterAt(chapters: readonly Chapter[], seconds: number): Chapter | null {
  return chapters.findLast(({ at }) => at <= seconds) ?? null;
}

function plain(text: string): string {
  return text
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&[a-z]+;/g, (entity) => ENTITIES[entity] ?? entity)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
