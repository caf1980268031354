import { describe, expect, it } from 'vitest';
import { parseLive } from './live.ts';

describe('parseLive', () => {
  it('reads a page of the list', () => {
    const entry = { name: 'demo', title: 'T', tags: ['a'], viewers: 3, since: 1_767_225_600_000 };
    expect(parseLive({ items: [entry], next: null })).toEqual({
      channels: [entry],
      complete: true,
    });
  });

  it('says when there is more', () => {
    expect(parseLive({ items: [], next: 'abc' }).complete).toBe(false);
  });

  it('survives what it does not understand', () => {
    for (const body of [null, 7, [], {}, { items: 'x' }, { items: [null, 1, {}, { name: '' }] }]) {
      expect(parseLive(body).channels).toEqual([]);
    }
    const { channels } = parseLive({ items: [{ name: 'a', tags: [1, 'b'], since: 'x' }] });
    expect(channels).toEqual([{ name: 'a', title: '', tags: ['b'], viewers: 0, since: null }]);
  });
});
