import { webUrl } from '../shared/links.ts';
import { parseVtt } from './vtt.ts';

/** A small picture of a recording: a part of a larger one, in pixels. */
export interface Tile {
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const PART = /#xywh=(?:pixel:)?(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})$/;

/** Reads a WebVTT storyboard; its pictures' addresses are relative to its own. */
export function parseStoryboard(file: string, base: string): Tile[] {
  return parseVtt(file).flatMap(({ start, end, text }) => {
    const part = PART.exec(text);
    const url = webUrl(text.replace(/#.*$/s, ''), base);
    if (part === null || url === null) return [];
    const [x = 0, y = 0, width = 0, height = 0] = part.slice(1).map(Number);
    return width > 0 && height > 0 ? [{ start, end, url, x, y, width, height }] : [];
  });
}

/** What a moment looks like; the nearest picture before it where it has none of its own. */
export function tileAt(tiles: readonly Tile[], seconds: number): Tile | null {
  return tiles.findLast(({ start }) => start <= seconds) ?? tiles[0] ?? null;
}
