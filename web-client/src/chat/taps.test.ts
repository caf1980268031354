import { describe, expect, it } from 'vitest';
import { OwnTaps, TAP_FRAME_MS, Taps } from './taps.ts';

describe('Taps', () => {
  it('makes five frames a second of however many taps', () => {
    const taps = new Taps();
    let frames = 0;
    let told = 0;
    for (let now = 0; now < 1_000; now += 10) {
      taps.tap('❤️');
      const frame = taps.take(now);
      if (frame === null) continue;
      frames += 1;
      told += frame.count;
    }
    expect(frames).toBe(5);
    const rest = taps.take(1_000);
    expect(told + (rest?.count ?? 0)).toBe(100);
    expect(taps.isEmpty).toBe(true);
  });

  it('takes the emoji by turns', () => {
    const taps = new Taps();
    taps.tap('❤️');
    taps.tap('👍');
    taps.tap('❤️');
    expect(taps.take(0)).toEqual({ emoji: '❤️', count: 2 });
    taps.tap('❤️');
    expect(taps.take(TAP_FRAME_MS - 1)).toBeNull();
    expect(taps.take(TAP_FRAME_MS)).toEqual({ emoji: '👍', count: 1 });
    expect(taps.take(2 * TAP_FRAME_MS)).toEqual({ emoji: '❤️', count: 1 });
    expect(taps.take(3 * TAP_FRAME_MS)).toBeNull();
  });

  it('tells of no more than a frame may', () => {
    const taps = new Taps();
    for (let i = 0; i < 1_000; i += 1) taps.tap('❤️');
    expect(taps.take(0)).toEqual({ emoji: '❤️', count: 100 });
    expect(taps.take(TAP_FRAME_MS)).toBeNull();
  });
});

describe('OwnTaps', () => {
  it('leaves one’s own out of the counts', () => {
    const own = new OwnTaps();
    own.tapped('❤️', 0);
    own.tapped('❤️', 10);
    expect(own.others('❤️', 5, 100)).toBe(3);
    expect(own.others('❤️', 5, 200)).toBe(5);
    expect(own.others('👍', 1, 200)).toBe(1);
  });

  it('leaves them out over several counts', () => {
    const own = new OwnTaps();
    for (let i = 0; i < 3; i += 1) own.tapped('❤️', 0);
    expect(own.others('❤️', 2, 100)).toBe(0);
    expect(own.others('❤️', 2, 200)).toBe(1);
  });

  it('forgets what may be lost', () => {
    const own = new OwnTaps();
    own.tapped('❤️', 0);
    expect(own.others('❤️', 2, 3_001)).toBe(2);
  });
});
