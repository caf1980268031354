import { describe, expect, it } from 'vitest';
import { axisTop, pathOf, stepAt } from './chart.ts';

describe('axisTop', () => {
  it('is a round number that no value exceeds, and whose half is round too', () => {
    const most = [0.3, 1, 1.01, 2, 3, 5, 7, 9, 11, 99, 101, 1_999, 60_001];
    const tops = [0.4, 1, 2, 2, 4, 6, 8, 10, 20, 100, 200, 2_000, 80_000];
    most.forEach((value, index) => {
      expect(axisTop([value], 0.1)).toBeCloseTo(tops[index] ?? NaN);
    });
  });

  it('isn’t lower than asked for, and holds without values', () => {
    expect(axisTop([0, null, 0], 2)).toBe(2);
    expect(axisTop([], 100)).toBe(100);
  });
});

describe('pathOf', () => {
  it('draws a line through the middles of the steps, the greatest value on top', () => {
    expect(pathOf('line', [0, 5, 10, 5], 10)).toBe('M12.5 100L37.5 50L62.5 0L87.5 50');
  });

  it('leaves a gap where there is no value, and shows one that stands alone', () => {
    expect(pathOf('line', [2, 2, null, 4], 4)).toBe('M12.5 50L37.5 50M75 0H100');
    expect(pathOf('line', [null, null], 4)).toBe('');
  });

  it('fills an area from the beginning of its first step to the end of its last one', () => {
    expect(pathOf('area', [5], 10)).toBe('M0 100L0 50L50 50L100 50L100 100Z');
    expect(pathOf('area', [null, 10, 0], 10)).toBe(
      'M33.33 100L33.33 0L50 0L83.33 100L100 100L100 100Z',
    );
  });

  it('draws a bar for each step in which something was', () => {
    expect(pathOf('bars', [1, 0, null, 2], 2)).toBe('M0.2 100V50H24.8V100ZM75.2 100V0H99.8V100Z');
  });

  it('stays within the chart whatever the values are', () => {
    const numbers = [...pathOf('area', [-5, 1e9, 3], 4).matchAll(/[\d.-]+/g)].map(Number);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(100);
    expect(pathOf('area', [], 4)).toBe('');
    expect(pathOf('line', [1], 0)).toBe('');
  });
});

describe('stepAt', () => {
  it('finds the step under the pointer, and the next one beside the chart', () => {
    expect([0, 0.24, 0.26, 0.99, 1, -0.1, 1.1].map((share) => stepAt(share, 4))).toEqual([
      ...[0, 0, 1, 3, 3, 0, 3],
    ]);
  });

  it('finds none where there is none, nor in a chart without a width', () => {
    expect(stepAt(0.5, 0)).toBeNull();
    expect(stepAt(0 / 0, 4)).toBeNull();
  });
});
