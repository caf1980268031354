import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PathEvent, PeerSession } from '../shared/peer-session.ts';
import { Player } from './player.ts';

let path: (event: PathEvent) => void;
let framesDecoded: number;
let flowing: boolean;
let live: boolean | null;
let names: string[];
let opened: number;
let sessions: ReturnType<typeof fakeSession>[];
let player: Player;

/** As much of a session as the player reads: its statistics. */
function fakeSession() {
  const peer = {
    connectionState: 'connected',
    getReceivers: () => [],
    getStats: () => {
      if (flowing) framesDecoded += 10;
      const video = { id: 'v', type: 'inbound-rtp', kind: 'video', framesDecoded, timestamp: 0 };
      return Promise.resolve(new Map([['v', video]]));
    },
  };
  return { peer, close: vi.fn<() => void>(), restartIce: () => Promise.resolve() };
}

beforeEach(() => {
  vi.useFakeTimers();
  framesDecoded = 0;
  flowing = false;
  live = true;
  names = [];
  opened = 0;
  sessions = [];
  player = new Player({
    openSession: (_signal, onPath) => {
      path = onPath;
      opened += 1;
      const session = fakeSession();
      sessions.push(session);
      return Promise.resolve(session as unknown as PeerSession);
    },
    isLive: () => Promise.resolve(live),
    isHidden: () => false,
    onState: ({ name }) => {
      if (names.at(-1) !== name) names.push(name);
    },
    onStats: () => undefined,
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

describe('Player', () => {
  it('waits for the streamer and plays when frames are decoded', async () => {
    await pass(0);
    path('up');
    await pass(30);
    expect(names).toEqual(['connecting', 'waiting']);
    flowing = true;
    await pass(1);
    expect(names).toEqual(['connecting', 'waiting', 'playing']);
  });

  it('plays at the first frame on screen, before any statistics', async () => {
    await pass(0);
    path('up');
    player.frameShown();
    expect(player.state.name).toBe('playing');
  });

  it('takes no frame for a picture without a session', async () => {
    await pass(0);
    player.frameShown();
    expect(player.state.name).toBe('connecting');
  });

  it('waits again when the picture stops, and ends when the node says so twice', async () => {
    await play();
    flowing = false;
    await pass(5);
    expect(player.state.name).toBe('waiting');
    await pass(30);
    expect(player.state.name).toBe('waiting');
    live = false;
    await pass(5);
    expect(player.state.name).toBe('ended');
  });

  it('plays by itself when the channel comes back on the open session', async () => {
    await play();
    flowing = false;
    live = false;
    await pass(12);
    expect(player.state.name).toBe('ended');
    flowing = true;
    await pass(1);
    expect(player.state.name).toBe('playing');
    expect(opened).toBe(1);
  });

  it('is interrupted as soon as the node says so, for all that frames still come', async () => {
    await play();
    player.setActivity('interrupted');
    expect(player.state.name).toBe('interrupted');
    player.frameShown();
    await pass(0.5);
    flowing = false;
    live = null;
    await pass(60);
    expect(player.state.name).toBe('interrupted');
    player.setActivity('over');
    expect(player.state.name).toBe('ended');
  });

  it('plays on after an interruption, at the first frame', async () => {
    await play();
    flowing = false;
    player.setActivity('interrupted');
    player.setActivity('active');
    expect(player.state.name).toBe('waiting');
    player.frameShown();
    expect(player.state.name).toBe('playing');
  });

  it('believes frames that keep coming more than the node', async () => {
    await play();
    player.setActivity('interrupted');
    await pass(2);
    expect(player.state.name).toBe('playing');
  });

  it('ends an interruption that nobody tells about any more', async () => {
    await play();
    flowing = false;
    player.setActivity('interrupted');
    live = false;
    await pass(6);
    expect(player.state.name).toBe('ended');
  });

  it('does not end a broadcast that nobody can tell about', async () => {
    await play();
    flowing = false;
    live = null;
    await pass(60);
    expect(player.state.name).toBe('waiting');
  });

  it('reconnects when the node closes the session', async () => {
    await play();
    path('closed');
    expect(player.state.name).toBe('reconnecting');
    await pass(1);
    path('up');
    await pass(1);
    expect(names).toEqual(['connecting', 'waiting', 'playing', 'reconnecting', 'playing']);
    expect(opened).toBe(2);
  });

  it('looks for a new session when asked after the end', async () => {
    await play();
    flowing = false;
    live = false;
    await pass(12);
    player.reopen();
    await pass(0);
    expect(opened).toBe(2);
  });

  it('goes over to a session that has a picture, or takes too long for one', async () => {
    await play();
    framesDecoded = 0;
    flowing = false;
    player.move();
    await pass(0);
    path('up');
    await pass(0.5);
    expect(sessions[0]?.close).not.toHaveBeenCalled();
    flowing = true;
    await pass(0.1);
    expect(sessions[0]?.close).toHaveBeenCalled();
    framesDecoded = 0;
    flowing = false;
    player.move();
    await pass(0);
    path('up');
    await pass(4);
    expect(sessions[1]?.close).toHaveBeenCalled();
  });
});
