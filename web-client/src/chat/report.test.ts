import { describe, expect, it } from 'vitest';
import { Viewing, type Sample } from './report.ts';

const playing: Sample = {
  player: 'webrtc',
  picture: 'moves',
  freezes: 0,
  frozenMs: 0,
  latencyMs: 180.4,
  height: 720,
};

function watch(
  viewing: Viewing,
  from: number,
  seconds: number,
  sample: Partial<Sample> = {},
): number {
  for (let i = 0; i < seconds; i += 1) viewing.observe(from + i * 1_000, { ...playing, ...sample });
  return from + seconds * 1_000;
}

describe('Viewing', () => {
  it('tells in whole numbers how the player did', () => {
    const viewing = new Viewing();
    watch(viewing, 0, 11);
    expect(viewing.take()).toEqual({
      player: 'webrtc',
      played_ms: 10_000,
      stalled_ms: 0,
      stalls: 0,
      latency_ms: 180,
      height: 720,
    });
  });

  it('counts a picture that stands as one stall', () => {
    const viewing = new Viewing();
    let now = watch(viewing, 0, 5);
    now = watch(viewing, now, 3, { picture: 'stands' });
    watch(viewing, now, 3);
    expect(viewing.take()).toMatchObject({ played_ms: 7_000, stalled_ms: 3_000, stalls: 1 });
  });

  it('counts the freezes that the player tells of', () => {
    const viewing = new Viewing();
    const now = watch(viewing, 0, 5, { freezes: 4, frozenMs: 900 });
    watch(viewing, now, 5, { freezes: 6, frozenMs: 1_300 });
    expect(viewing.take()).toMatchObject({ played_ms: 8_600, stalled_ms: 400, stalls: 2 });
  });

  it('takes a session’s fresh counters for no freezes', () => {
    const viewing = new Viewing();
    const now = watch(viewing, 0, 5, { freezes: 4, frozenMs: 900 });
    watch(viewing, now, 5);
    expect(viewing.take()).toMatchObject({ stalled_ms: 0, stalls: 0 });
  });

  it('tells each thing once, and nothing while there is nothing to see', () => {
    const viewing = new Viewing();
    const now = watch(viewing, 0, 3, { picture: 'none' });
    expect(viewing.take()).toBeNull();
    watch(viewing, now, 4);
    expect(viewing.take()).toMatchObject({ played_ms: 4_000 });
    expect(viewing.take()).toBeNull();
  });

  it('tells nothing of what a page slept through, and nothing that isn’t known', () => {
    const viewing = new Viewing();
    viewing.observe(0, playing);
    viewing.observe(3_600_000, { ...playing, latencyMs: null, height: 0 });
    expect(viewing.take()).toEqual({
      player: 'webrtc',
      played_ms: 5_000,
      stalled_ms: 0,
      stalls: 0,
    });
  });
});
