import { describe, expect, it } from 'vitest';
import { readTimecode, TIMECODE_BITS, timecodeBits } from './timecode.ts';

describe('timecode', () => {
  it('spells a time that can be read back', () => {
    for (const time of [0, 1, 1_767_225_600_123, 2 ** 41 + 7]) {
      expect(readTimecode(timecodeBits(time))).toBe(time);
    }
  });

  it('notices a damaged block, wherever it is', () => {
    const bits = timecodeBits(1_767_225_600_123);
    for (let index = 0; index < TIMECODE_BITS; index++) {
      expect(readTimecode(bits.map((bit, at) => (at === index ? !bit : bit)))).toBeNull();
    }
    expect(readTimecode(bits.slice(1))).toBeNull();
  });
});
