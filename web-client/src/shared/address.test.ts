import { describe, expect, it } from 'vitest';
import { readAddress } from './address.ts';

const read = (path: string) => readAddress(new URL(path, 'https://example.net'));

describe('readAddress', () => {
  it('finds channel, token and layer', () => {
    expect(read('/watch/demo')).toEqual({ channel: 'demo', token: '', layer: '' });
    expect(read('/watch/demo/?token=t&layer=h')).toEqual({
      channel: 'demo',
      token: 't',
      layer: 'h',
    });
  });

  it('prefers a token that never leaves the browser', () => {
    expect(read('/studio/demo?token=a#token=b')?.token).toBe('b');
  });

  it('refuses what is no channel name', () => {
    for (const path of ['/watch/', '/watch', '/', '/watch/a%20b', `/watch/${'a'.repeat(65)}`]) {
      expect(read(path)).toBeNull();
    }
  });
});
