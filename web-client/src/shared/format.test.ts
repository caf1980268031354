import { describe, expect, it } from 'vitest';
import {
  formatBehind,
  formatBitrate,
  formatBytes,
  formatDate,
  formatDuration,
  formatMs,
  formatViewers,
} from './format.ts';

describe('figures', () => {
  it('have the unit that suits them', () => {
    expect(formatBitrate(0)).toBe('0 kbit/s');
    expect(formatBitrate(999_499)).toBe('999 kbit/s');
    expect(formatBitrate(999_600)).toBe('1.0 Mbit/s');
    expect(formatBehind(1_240)).toBe('1.2 s behind live');
    expect(formatMs(null)).toBe('–');
    expect(formatMs(42.4)).toBe('42 ms');
    expect(formatMs(12_340)).toBe('12.3 s');
  });

  it('count hours, minutes and seconds', () => {
    expect(formatDuration(-5)).toBe('00:00');
    expect(formatDuration(65_000)).toBe('01:05');
    expect(formatDuration(3_600_000 * 26 + 61_000)).toBe('26:01:01');
  });

  it('count viewers', () => {
    expect(formatViewers(1)).toBe('1 viewer');
    expect(formatViewers(1284)).toBe('1,284 viewers');
  });

  it('give sizes of files and moments', () => {
    expect([0, 999, 1_500, 25_400_000, 3e15].map(formatBytes)).toEqual([
      ...['0 B', '999 B', '1.5 kB', '25 MB', '3000 TB'],
    ]);
    expect(formatDate(new Date(2026, 0, 2, 9, 5).getTime())).toBe('2 Jan 2026, 09:05');
  });
});
