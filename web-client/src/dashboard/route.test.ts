import { describe, expect, it } from 'vitest';
import { readRoute, routeTo } from './route.ts';

describe('readRoute', () => {
  it('finds broadcast and token in the fragment', () => {
    expect(readRoute('')).toEqual({ broadcast: null, token: '' });
    expect(readRoute('#token=a.b.c')).toEqual({ broadcast: null, token: 'a.b.c' });
    expect(readRoute('#broadcast=b1&token=%20t%20')).toEqual({ broadcast: 'b1', token: 't' });
  });

  it('takes what can’t be a broadcast’s name for none', () => {
    expect(readRoute('#broadcast=../node')?.broadcast).toBeNull();
    expect(readRoute(`#broadcast=${'x'.repeat(65)}`)?.broadcast).toBeNull();
  });

  it('leaves alone what is a place of the page', () => {
    expect(readRoute('#main')).toBeNull();
    expect(readRoute('#')).toEqual({ broadcast: null, token: '' });
  });

  it('leads back to what it reads, without a token', () => {
    expect(routeTo(null)).toBe('/dashboard');
    expect(readRoute(new URL(routeTo('b_1-x'), 'http://node').hash)?.broadcast).toBe('b_1-x');
  });
});
