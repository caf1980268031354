import { describe, expect, it } from 'vitest';
import { NO_PATH } from '../shared/connection-state.ts';
import type { Problem } from '../shared/problem.ts';
import { describeGoing, seeksHls } from './handover-rules.ts';
import type { PlayerState } from './state.ts';

const problem = (status: number, offersHls = false): Problem => ({
  status,
  title: '',
  detail: '',
  retryAfterMs: null,
  ...(offersHls && { offersHls }),
});

const pausing = (attempt: number, why: Problem | null): PlayerState => ({
  name: 'reconnecting',
  attempt,
  inMs: 500,
  problem: why,
});

describe('LL-HLS is sought', () => {
  it('at once where the node offers it, and where no path comes up', () => {
    expect(seeksHls(pausing(1, problem(503, true)))).toBe('full');
    expect(seeksHls(pausing(1, NO_PATH))).toBe('no-path');
  });

  it('after some attempts where the node answers something else', () => {
    for (const why of [problem(500), problem(503), null]) {
      expect(seeksHls(pausing(1, why))).toBeNull();
      expect(seeksHls(pausing(3, why))).not.toBeNull();
    }
  });

  it('not at a node that can’t be reached', () => {
    expect(seeksHls(pausing(9, problem(0)))).toBeNull();
  });

  it('not while an attempt runs, nor while it plays', () => {
    expect(seeksHls({ name: 'reconnecting', attempt: 9, inMs: 0, problem: null })).toBeNull();
    expect(seeksHls({ name: 'playing' })).toBeNull();
  });

  it('where the browser can’t play what WebRTC brings, but not where nobody may watch', () => {
    expect(seeksHls({ name: 'error', problem: problem(422) })).toBe('no-path');
    for (const status of [401, 403, 404]) {
      expect(seeksHls({ name: 'error', problem: problem(status) })).toBeNull();
    }
  });
});

describe('what goes on', () => {
  it('needs no words where all is as it should be', () => {
    expect(describeGoing({ shown: 'webrtc', reason: null, next: null })).toBe('');
    expect(describeGoing({ shown: 'hls', reason: 'chosen', next: null })).toBe('');
  });

  it('is said where it isn’t', () => {
    expect(describeGoing({ shown: 'hls', reason: 'full', next: null })).toMatch(/no room/);
    expect(describeGoing({ shown: 'hls', reason: 'full', next: 'webrtc' })).toMatch(/Trying/);
    expect(describeGoing({ shown: 'webrtc', reason: 'full', next: 'hls' })).toMatch(/LL-HLS/);
  });
});
