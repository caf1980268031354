import { describe, expect, it } from 'vitest';
import { Progress } from './progress.ts';

describe('Progress', () => {
  it('tells once that the picture moves', () => {
    const progress = new Progress();
    expect(progress.observe(0, 0, false)).toBeNull();
    expect(progress.observe(250, 0, false)).toBeNull();
    expect(progress.observe(500, 0.25, false)).toBe('media-flows');
    expect(progress.observe(750, 0.5, false)).toBeNull();
  });

  it('tells that it has stopped, and that it moves again', () => {
    const progress = new Progress();
    progress.observe(0, 0, false);
    progress.observe(100, 0.1, false);
    expect(progress.observe(1_000, 0.1, false)).toBeNull();
    expect(progress.observe(1_300, 0.1, false)).toBe('media-stalled');
    expect(progress.observe(1_400, 0.1, false)).toBeNull();
    expect(progress.observe(1_500, 0.2, false)).toBe('media-flows');
  });

  it('takes the beginning anew for no move', () => {
    const progress = new Progress();
    progress.observe(0, 7, false);
    expect(progress.observe(250, 0, false)).toBeNull();
    expect(progress.observe(500, 0.25, false)).toBe('media-flows');
  });

  it('takes a pause for no stall', () => {
    const progress = new Progress();
    progress.observe(0, 0, false);
    progress.observe(100, 0.1, false);
    expect(progress.observe(10_000, 0.1, true)).toBeNull();
    expect(progress.observe(10_500, 0.1, false)).toBeNull();
  });
});
