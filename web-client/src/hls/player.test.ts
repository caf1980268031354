import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PathEvent } from '../shared/peer-session.ts';
import { ProblemError } from '../shared/problem.ts';
import { HlsPlayer } from './player.ts';
import type { HlsSession } from './session.ts';

let path: (event: PathEvent) => void;
let ended: () => void;
let flowing: boolean;
let position: number;
let live: boolean | null;
let refusal: ProblemError | null;
let names: string[];
let opened: number;
let player: HlsPlayer;

beforeEach(() => {
  vi.useFakeTimers();
  flowing = false;
  position = 0;
  live = true;
  refusal = null;
  names = [];
  opened = 0;
  player = new HlsPlayer({
    openSession: (_signal, onPath, onEnded) => {
      if (refusal !== null) return Promise.reject(refusal);
      path = onPath;
      ended = onEnded;
      opened += 1;
      return Promise.resolve({ close: vi.fn() } as unknown as HlsSession);
    },
    isLive: () => Promise.resolve(live),
    look: () => {
      if (flowing) position += 0.25;
      return { position, isPaused: false };
    },
    onState: ({ name }) => {
      if (names.at(-1) !== name) names.push(name);
    },
    onTick: () => undefined,
  });
  player.open();
});

afterEach(() => {
  player.close();
  vi.useRealTimers();
});

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

async function play(): Promise<void> {
  await pass(0);
  path('up');
  flowing = true;
  await pass(1);
}

describe('HlsPlayer', () => {
  it('waits while the channel is not live, and plays when it is', async () => {
    await pass(0);
    path('up');
    await pass(20);
    expect(names).toEqual(['connecting', 'waiting']);
    flowing = true;
    await pass(1);
    expect(names).toEqual(['connecting', 'waiting', 'playing']);
  });

  it('says that the picture stopped, and that the streamer is gone', async () => {
    await play();
    flowing = false;
    await pass(2);
    expect(player.state.name).toBe('waiting');
    live = false;
    await pass(3);
    expect(player.state.name).toBe('interrupted');
    flowing = true;
    await pass(1);
    expect(player.state.name).toBe('playing');
  });

  it('says that the broadcast is over, and plays the next one', async () => {
    await play();
    flowing = false;
    ended();
    expect(player.state.name).toBe('ended');
    await pass(30);
    expect(player.state.name).toBe('ended');
    flowing = true;
    await pass(1);
    expect(player.state.name).toBe('playing');
  });

  it('reconnects when playing fails', async () => {
    await play();
    path('closed');
    expect(player.state.name).toBe('reconnecting');
    await pass(2);
    expect(opened).toBe(2);
    path('up');
    await pass(1);
    expect(player.state.name).toBe('playing');
  });

  it('says what is wrong where waiting does not help', async () => {
    player.close();
    const problem = { status: 401, title: 'A token is needed', detail: '', retryAfterMs: null };
    refusal = new ProblemError(problem);
    names = [];
    player.open();
    await pass(1);
    expect(player.state).toEqual({ name: 'error', problem });
  });
});
