import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../shared/problem.ts';
import { BroadcastReader } from './broadcast.ts';
import { Client } from './client.ts';
import { audienceJson, broadcastJson, STARTED_AT } from './fixtures.ts';
import { OverviewReader, type Overview } from './overview.ts';

const MINUTE = 60_000;

/** A node's API. */
class FakeNode {
  readonly asked: string[] = [];
  readonly broken = new Set<string>();
  live: string[] = [];
  past: string[] = [];
  endedAt = STARTED_AT;
  recordingState = 'ready';
  /** Viewers' sessions that are listed before the publisher's. */
  viewers = 0;
  token = '';

  readonly get = (path: string, token: string): Promise<unknown> => {
    this.asked.push(path);
    this.token = token;
    const url = new URL(path, 'http://node');
    const parts = url.pathname.split('/').slice(3);
    if (this.broken.has(parts.join('/'))) return fail(500);
    const body = this.#answer(parts, url.searchParams);
    return body === null ? fail(404) : Promise.resolve(body);
  };

  count(part: string): number {
    return this.asked.filter((path) => path.includes(part)).length;
  }

  #answer([kind = '', id = '', of = '']: string[], query: URLSearchParams): unknown {
    if (kind === 'node') return { version: '1', live_channels: this.live.length };
    if (kind === 'sidecars') return [{ id: 'hls', channels: ['a', 'b'] }];
    if (kind === 'broadcasts' && of === 'audience') return audienceJson({ broadcast: id });
    if (kind === 'broadcasts') return id === '' ? this.#page(query) : this.#broadcast(id);
    if (kind === 'channels') return { title: id, viewers: 2, live_since: STARTED_AT };
    if (kind === 'recordings') return { broadcast: id, state: this.recordingState };
    if (kind === 'sessions') return id === '' ? this.#sessions(query) : session(id);
    return null;
  }

  #broadcast(id: string): unknown {
    if (this.live.includes(id)) return broadcastJson(id);
    return this.past.includes(id) ? broadcastJson(id, { ended_at: this.endedAt }) : null;
  }

  /** Those on air are the oldest. */
  #page(query: URLSearchParams): unknown {
    const all = [...this.past, ...this.live];
    const after = query.get('after');
    const begin = after === null ? 0 : all.indexOf(after) + 1;
    const items = all.slice(begin, begin + Number(query.get('limit')));
    const isLast = begin + items.length >= all.length;
    const next = isLast ? null : items.at(-1);
    return { items: items.map((id) => this.#broadcast(id)), next };
  }

  #sessions(query: URLSearchParams): unknown {
    const channel = query.get('channel') ?? '';
    const viewers = Array.from({ length: this.viewers }, (_, i) => ({
      id: `v${i}`,
      role: 'viewer',
    }));
    const all = [...viewers, session(`p-${channel}`)];
    const begin = Number(query.get('after') ?? 0);
    const end = begin + Number(query.get('limit'));
    return { items: all.slice(begin, end), next: end < all.length ? String(end) : null };
  }
}

function session(id: string): { id: string; role: string; figures: object } {
  const figures = { video_codec: 'H264', width: 1280, height: 720, bits_per_second: 2_500_000 };
  return { id, role: 'publisher', figures };
}

function fail(status: number): Promise<never> {
  const problem = { status, title: `HTTP ${status}`, detail: '', retryAfterMs: null };
  return Promise.reject(new ProblemError(problem));
}

const ids = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

function setUp() {
  const node = new FakeNode();
  const client = new Client(() => 'secret', node.get);
  return { node, client, reader: new OverviewReader(client) };
}

async function ask(reader: OverviewReader): Promise<Overview[]> {
  const told: Overview[] = [];
  await reader.ask((overview) => told.push(overview));
  return told;
}

beforeEach(() => {
  vi.useFakeTimers({ now: STARTED_AT + 10 * MINUTE });
  vi.stubGlobal('location', { origin: 'http://node' });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('OverviewReader', () => {
  it('tells what is on air at once, and its figures when they are there', async () => {
    const { node, reader } = setUp();
    node.live = ['b1'];
    node.past = ['old'];
    const [first, second] = await ask(reader);
    expect(first?.live).toMatchObject([{ broadcast: { id: 'b1' }, audience: undefined }]);
    expect(second?.live).toMatchObject([
      {
        channel: { viewers: 2, isLive: true, restricted: false },
        audience: { broadcast: 'b1', total: { joins: 3 } },
        source: { videoCodec: 'H264', height: 720, bitrate: 2_500_000 },
      },
    ]);
    expect(second?.past).toMatchObject([
      {
        broadcast: { id: 'old' },
        audience: { total: { joins: 3 } },
        recording: { state: 'ready' },
      },
    ]);
    expect(second?.sidecars).toEqual([{ id: 'hls', channels: 2 }]);
    expect(node.token).toBe('secret');
    expect(node.asked.join()).not.toContain('secret');
  });

  it('finds what has been on air for long behind what is over since', async () => {
    const { node, reader } = setUp();
    node.past = ids('p', 150);
    node.live = ['long'];
    const [overview] = await ask(reader);
    expect(overview?.live.map(({ broadcast }) => broadcast.id)).toEqual(['long']);
    expect(overview?.past).toHaveLength(12);
    expect(node.count('/broadcasts?')).toBe(2);
  });

  it('reads one page where all is on it, and five at most', async () => {
    const { node, reader } = setUp();
    node.past = ids('p', 900);
    await ask(reader);
    expect(node.count('/broadcasts?')).toBe(1);
    node.live = ['too-old-to-be-found'];
    await ask(reader);
    expect(node.count('/broadcasts?')).toBe(6);
  });

  it('asks for the figures of a few channels at a time, each in its turn', async () => {
    const { node, reader } = setUp();
    node.live = ids('b', 20);
    for (const known of [8, 16, 20]) {
      node.asked.length = 0;
      const overview = (await ask(reader)).at(-1);
      expect(node.count('/audience')).toBe(8);
      expect(overview?.live.filter(({ audience }) => audience !== undefined)).toHaveLength(known);
      await vi.advanceTimersByTimeAsync(5_000);
    }
  });

  it('keeps the other figures when some can’t be had, and says that it failed', async () => {
    const { node, reader } = setUp();
    node.live = ['a', 'b'];
    node.broken.add('broadcasts/a/audience');
    const told: Overview[] = [];
    await expect(reader.ask((overview) => told.push(overview))).rejects.toThrow('HTTP 500');
    expect(told.at(-1)?.live.map(({ audience }) => audience?.broadcast)).toEqual([undefined, 'b']);
  });

  it('asks once for what won’t change any more', async () => {
    const { node, reader } = setUp();
    node.past = ['old'];
    await ask(reader);
    await ask(reader);
    expect(node.count('/old')).toBe(2);
    // It ended just now, or its recording is being made: then there's more to come.
    node.endedAt = Date.now();
    node.past = ['new'];
    await ask(reader);
    await ask(reader);
    expect(node.count('/new')).toBe(4);
    node.recordingState = 'finishing';
    await vi.advanceTimersByTimeAsync(2 * MINUTE);
    await ask(reader);
    await ask(reader);
    expect(node.count('/new')).toBe(8);
    node.recordingState = 'ready';
    await ask(reader);
    await ask(reader);
    expect(node.count('/new')).toBe(10);
  });

  it('looks for a channel’s publisher once, and again when its session is gone', async () => {
    const { node, client } = setUp();
    node.viewers = 450;
    expect(await client.source('c')).toMatchObject({ session: 'p-c' });
    expect(node.count('/sessions?')).toBe(3);
    await client.source('c');
    expect(node.asked.at(-1)).toBe('/api/v1/sessions/p-c');
    node.broken.add('sessions/p-c');
    await expect(client.source('c')).rejects.toThrow('HTTP 500');
    node.viewers = 5_000;
    expect(await client.source('busy')).toBeNull();
    expect(node.count('/sessions?')).toBe(8);
  });
});

describe('BroadcastReader', () => {
  it('has all of one that is on air, anew each time', async () => {
    const { node, client } = setUp();
    node.live = ['on'];
    const reader = new BroadcastReader(client, 'on');
    expect(await reader.ask()).toMatchObject({
      broadcast: { id: 'on', endedAt: null },
      audience: { broadcast: 'on' },
      source: { session: 'p-c-on' },
      recording: null,
    });
    await reader.ask();
    expect(node.count('/audience')).toBe(2);
    expect(node.count('/recordings/')).toBe(0);
  });

  it('asks once for one that is over', async () => {
    const { node, client } = setUp();
    node.past = ['over'];
    const reader = new BroadcastReader(client, 'over');
    const view = await reader.ask();
    expect(view).toMatchObject({
      broadcast: { endedAt: STARTED_AT },
      recording: { state: 'ready' },
      source: null,
    });
    expect(await reader.ask()).toBe(view);
    expect(node.count('/audience')).toBe(1);
  });

  it('is null for what there isn’t, and asks again', async () => {
    const { node, client } = setUp();
    const reader = new BroadcastReader(client, 'later');
    expect(await reader.ask()).toBeNull();
    node.live = ['later'];
    expect(await reader.ask()).not.toBeNull();
  });
});
