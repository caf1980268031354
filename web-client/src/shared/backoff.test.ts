import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

const always = (value: number) => (): number => value;

describe('backoff', () => {
  it('doubles with each failure up to a bound', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 50].map((failures) =>
      backoffMs(failures, null, always(1)),
    );
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it('spreads attempts over half the pause', () => {
    expect(backoffMs(3, null, always(0))).toBe(1000);
    expect(backoffMs(3, null, always(0.5))).toBe(1500);
  });

  it('never comes back before the server’s Retry-After', () => {
    expect(backoffMs(1, 30_000, always(0))).toBeGreaterThanOrEqual(30_000);
  });

  it('bounds an absurd Retry-After', () => {
    expect(backoffMs(1, 1e12, always(1))).toBe(300_500);
  });
});
