import { describe, expect, it } from 'vitest';
import { Limiter, type Verdict } from './limiter.ts';

const TIMES = { downMs: 3_000, upMs: 8_000 };

/** Judges once a second, and gives the seconds at which the level changed, with the level. */
function judge(limiter: Limiter, from: number, seconds: number, verdict: Verdict, fitting = 0) {
  const changes: [number, number][] = [];
  for (let second = from; second < from + seconds; second++) {
    const before = limiter.level;
    limiter.judge(second * 1000, verdict, { present: before, lowest: 3, fitting });
    if (limiter.level !== before) changes.push([second, limiter.level]);
  }
  return changes;
}

describe('Limiter', () => {
  it('goes down after a while, not for a dip', () => {
    const limiter = new Limiter(TIMES);
    expect(judge(limiter, 0, 3, 'over')).toEqual([]);
    expect(judge(limiter, 3, 1, 'holds')).toEqual([]);
    expect(judge(limiter, 4, 3, 'over')).toEqual([]);
    expect(judge(limiter, 7, 7, 'over')).toEqual([
      [7, 1],
      [10, 2],
      [13, 3],
    ]);
    expect(judge(limiter, 14, 10, 'over')).toEqual([]);
  });

  it('goes down at once as far as is known to fit', () => {
    const limiter = new Limiter(TIMES);
    expect(judge(limiter, 0, 4, 'over', 2)).toEqual([[3, 2]]);
  });

  it('goes up a step at a time while there is room', () => {
    const limiter = new Limiter(TIMES);
    limiter.level = 3;
    expect(judge(limiter, 0, 30, 'room')).toEqual([
      [8, 2],
      [16, 1],
      [24, 0],
    ]);
  });

  it('does not flap on a limit that allows one step only now and then', () => {
    const limiter = new Limiter(TIMES);
    limiter.level = 1;
    let changes = 0;
    for (let second = 0; second < 600; second++) {
      const before = limiter.level;
      const verdict = before === 0 ? 'over' : 'room';
      limiter.judge(second * 1000, verdict, { present: before, lowest: 3 });
      if (limiter.level !== before) changes++;
    }
    // 8, 16, 32, 64 and then 120 s between attempts.
    expect(changes).toBeLessThanOrEqual(16);
    expect(changes).toBeGreaterThanOrEqual(12);
  });

  it('trusts a step up that lasted', () => {
    const limiter = new Limiter(TIMES);
    limiter.level = 2;
    judge(limiter, 0, 9, 'room');
    judge(limiter, 9, 4, 'over');
    expect(limiter.level).toBe(2);
    judge(limiter, 13, 17, 'room');
    expect(limiter.level).toBe(1);
    judge(limiter, 30, 30, 'holds');
    judge(limiter, 60, 4, 'over');
    expect(limiter.level).toBe(2);
    expect(judge(limiter, 64, 12, 'room')).toEqual([[72, 1]]);
  });
});
