import { describe, expect, it } from 'vitest';
import { readAddress, withPlayer } from './address.ts';

const read = (path: string) => readAddress(new URL(path, 'https://example.net'));

describe('readAddress', () => {
  it('finds channel, token and layer', () => {
    expect(read('/watch/demo')).toEqual({
      channel: 'demo',
      token: '',
      layer: '',
      player: 'webrtc',
    });
    expect(read('/watch/demo/?token=t&layer=h&player=hls')).toEqual({
      channel: 'demo',
      token: 't',
      layer: 'h',
      player: 'hls',
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

describe('withPlayer', () => {
  it('changes the player and nothing else', () => {
    const url = new URL('https://example.net/watch/demo?layer=h#token=t');
    const hls = 'https://example.net/watch/demo?layer=h&player=hls#token=t';
    expect(withPlayer(url, 'hls')).toBe(hls);
    expect(withPlayer(new URL(hls), 'webrtc')).toBe(url.href);
  });
});
