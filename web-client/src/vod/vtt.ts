/** A line of a WebVTT file: from when to when, in seconds, and what. */
export interface Cue {
  start: number;
  end: number;
  text: string;
}

/** Cues that are read; beyond it the rest is left out. */
const MAX_CUES = 20_000;
/** A cue's times (WebVTT §4.1: hours may be left out). */
const TIMES =
  /^(?:(\d{2,}):)?([0-5]\d):([0-5]\d\.\d{3})[ \t]+-->[ \t]+(?:(\d{2,}):)?([0-5]\d):([0-5]\d\.\d{3})/;

/** Reads the cues of a WebVTT file in their order, and leaves out what it doesn't understand. */
export function parseVtt(file: string): Cue[] {
  const blocks = file.replaceAll(/\r\n?/g, '\n').split(/\n{2,}/);
  return blocks.flatMap(parseCue).slice(0, MAX_CUES);
}

function parseCue(block: string): Cue[] {
  const lines = block.split('\n');
  // A line with the cue's name may come first.
  const place = lines.slice(0, 2).findIndex((line) => TIMES.test(line));
  const times = TIMES.exec(lines[place] ?? '');
  if (times === null) return [];
  const [, startHours, startMinutes, startSeconds, endHours, endMinutes, endSeconds] = times;
  const start = seconds(startHours, startMinutes, startSeconds);
  const end = seconds(endHours, endMinutes, endSeconds);
  const text = lines
    .slice(place + 1)
    .join('\n')
    .trim();
  return end > start ? [{ start, end, text }] : [];
}

function seconds(hours = '0', minutes = '0', rest = '0'): number {
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
}
