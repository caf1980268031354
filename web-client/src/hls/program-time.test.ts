import { describe, expect, it } from 'vitest';
import { programTimeAt } from './program-time.ts';

/** Three pieces of two seconds; before the last one the recording paused for a minute. */
const PIECES = [
  { start: 0.1, programDateTime: 1_000_000 },
  { start: 2.1, programDateTime: 1_002_000 },
  { start: 4.1, programDateTime: 1_064_000 },
];

describe('programTimeAt', () => {
  it('goes by the date of the piece that is shown', () => {
    expect(programTimeAt(PIECES, 1.1)).toBeCloseTo(1_001_000);
    expect(programTimeAt(PIECES, 4.0)).toBeCloseTo(1_003_900);
    expect(programTimeAt(PIECES, 4.1)).toBeCloseTo(1_064_000);
  });

  it('goes on beyond the ends', () => {
    expect(programTimeAt(PIECES, 0)).toBeCloseTo(999_900);
    expect(programTimeAt(PIECES, 9.1)).toBeCloseTo(1_069_000);
  });

  it('knows nothing without dates', () => {
    expect(programTimeAt([], 1)).toBeNull();
    expect(programTimeAt([{ start: 0, programDateTime: null }], 1)).toBeNull();
  });
});
