import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PathEvent } from '../shared/peer-session.ts';
import type { Engine, EngineEvents } from './engine.ts';
import { HlsSession } from './session.ts';

let status: number;
let live: boolean | null;
let paths: PathEvent[];
let engines: EngineEvents[];
let destroyed: number;
let ended: number;
let session: HlsSession | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  status = 200;
  live = true;
  paths = [];
  engines = [];
  destroyed = 0;
  ended = 0;
  vi.stubGlobal('fetch', () => {
    const headers: Record<string, string> = status === 404 ? { 'Retry-After': '5' } : {};
    return Promise.resolve(new Response('', { status, headers }));
  });
});

afterEach(() => {
  session?.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

async function open(): Promise<void> {
  session = await HlsSession.open({
    url: 'http://node.example/hls/demo/index.m3u8',
    token: '',
    signal: new AbortController().signal,
    onPath: (event) => paths.push(event),
    start: (events) => {
      engines.push(events);
      return Promise.resolve({ destroy: () => (destroyed += 1) } as unknown as Engine);
    },
    onLayers: () => undefined,
    onEnded: () => (ended += 1),
    isLive: () => Promise.resolve(live),
  });
}

describe('HlsSession', () => {
  it('plays what is there at once', async () => {
    await open();
    expect(paths).toEqual(['up']);
    expect(engines).toHaveLength(1);
  });

  it('waits for a channel that is not live', async () => {
    status = 404;
    await open();
    expect(paths).toEqual(['up']);
    await pass(20);
    expect(engines).toHaveLength(0);
    status = 200;
    await pass(6);
    expect(engines).toHaveLength(1);
  });

  it('waits after the end for another broadcast, and plays no old one', async () => {
    await open();
    engines[0]?.onEnded();
    live = false;
    expect([ended, destroyed]).toEqual([1, 1]);
    await pass(20);
    expect(engines).toHaveLength(1);
    live = true;
    await pass(6);
    expect(engines).toHaveLength(2);
  });

  it('says when it can not go on', async () => {
    await open();
    engines[0]?.onFailed();
    expect(paths).toEqual(['up', 'closed']);
  });

  it('says when the channel is refused meanwhile', async () => {
    status = 404;
    await open();
    status = 403;
    await pass(6);
    expect(paths).toEqual(['up', 'closed']);
  });

  it('leaves nothing behind', async () => {
    await open();
    session?.close();
    await pass(60);
    expect([destroyed, engines.length]).toEqual([1, 1]);
  });
});
