import { expect, it } from 'vitest';
import { streamTimeOf } from './stream-time.ts';

it('is how long after the beginning of the broadcast the picture was on air', () => {
  expect(streamTimeOf(1_700_000_095_000, 1_700_000_000_000, 93)).toBe(95_000);
});

it('is the recording’s own time where that isn’t known', () => {
  expect(streamTimeOf(null, 1_700_000_000_000, 93)).toBe(93_000);
  expect(streamTimeOf(1_700_000_095_000, null, 93)).toBe(93_000);
});
