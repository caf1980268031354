import { expect, it } from 'vitest';
import { behindHole, type Range } from './hole.ts';

const RANGES: readonly Range[] = [
  [0, 8.81],
  [9.01, 30],
  [60, 80],
];

it('goes on behind the hole that it is in, or just before', () => {
  for (const at of [8.4, 8.81, 8.9, 9.009]) expect(behindHole(RANGES, at), `${at}`).toBe(9.01);
});

it('stays where there is something, and where something is yet to be loaded', () => {
  for (const at of [0, 8, 9.01, 20, 29.9, 31, 59.9, 60, 90])
    expect(behindHole(RANGES, at), `${at}`).toBeNull();
  expect(behindHole([], 3)).toBeNull();
});
