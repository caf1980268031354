import { describe, expect, it } from 'vitest';
import { PictureClock, ticksBetween } from './picture-clock.ts';

const shown = (rtp: number, shownAt: number) => ({ rtp, shownAt });

describe('PictureClock', () => {
  it('knows nothing before a pair has come', () => {
    const clock = new PictureClock();
    expect(clock.time(shown(90_000, 0), 0, 0)).toBeNull();
  });

  it('tells the stream time of the frame that is shown', () => {
    const clock = new PictureClock();
    clock.pair({ rtp: 900_000, at: 10_000 }, 0);
    expect(clock.time(shown(900_000 + 90 * 250, 100), 100, 0)).toBe(10_250);
    expect(clock.time(shown(900_000 - 90 * 250, 101), 101, 0)).toBe(9_750);
  });

  it('counts on when 32 bits are over', () => {
    const clock = new PictureClock();
    clock.pair({ rtp: 0xffffff00, at: 50_000 }, 0);
    expect(clock.time(shown(0x100, 10), 10, 0)).toBeCloseTo(50_000 + 0x200 / 90, 6);
    clock.pair({ rtp: 0x200, at: 50_008 }, 20);
    expect(clock.time(shown(0xffffff80, 30), 30, 0)).toBeCloseTo(50_000 + 0x80 / 90, 6);
  });

  it('believes the latest pair before the frame, where stream time has leapt', () => {
    const clock = new PictureClock();
    clock.pair({ rtp: 0, at: 1_000 }, 0);
    // The publisher was gone for a minute; the timestamps went on.
    clock.pair({ rtp: 90_000, at: 61_000 }, 1_000);
    expect(clock.time(shown(45_000, 1_010), 1_010, 0)).toBe(1_500);
    expect(clock.time(shown(135_000, 1_500), 1_500, 0)).toBe(61_500);
  });

  it('tells nothing of a picture that stands', () => {
    const clock = new PictureClock();
    clock.pair({ rtp: 0, at: 0 }, 0);
    expect(clock.time(shown(0, 0), 3_000, 0)).toBe(0);
    expect(clock.time(shown(0, 0), 3_001, 0)).toBeNull();
  });

  it('goes by the newest pair and the clock where frames don’t tell their timestamps', () => {
    const clock = new PictureClock();
    clock.pair({ rtp: 0, at: 10_000 }, 500);
    expect(clock.time(null, 700, 80)).toBe(10_120);
    expect(clock.time(null, 15_500, 80)).toBe(24_920);
    expect(clock.time(null, 15_501, 80)).toBeNull();
  });
});

describe('ticksBetween', () => {
  it('goes the shorter way round', () => {
    expect(ticksBetween(10, 30)).toBe(20);
    expect(ticksBetween(30, 10)).toBe(-20);
    expect(ticksBetween(0xfffffff0, 0x10)).toBe(0x20);
    expect(ticksBetween(0x10, 0xfffffff0)).toBe(-0x20);
  });
});
