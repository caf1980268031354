import { describe, expect, it } from 'vitest';
import { ChatLog, MAX_SHOWN, type Taken } from './log.ts';
import type { Action, Author, Entry, MessageEntry } from './protocol.ts';

const ada: Author = { id: 'a', name: 'Ada', role: 'viewer' };
const eve: Author = { id: 'e', name: 'Eve', role: 'viewer' };
const mod: Author = { id: 'm', name: 'Mod', role: 'moderator' };

function said(seq: number, author = eve, text = `text ${seq}`): MessageEntry {
  return {
    type: 'message',
    seq,
    id: `id${seq}`,
    author,
    text,
    at: null,
    time: 0,
    deleted: false,
  };
}

function did(seq: number, action: Action): Entry {
  return { type: 'action', seq, by: mod, action, at: null, time: 0 };
}

function take(log: ChatLog, ...entries: Entry[]): Taken[] {
  const taken = entries.map((entry) => log.take(entry, entry.at, 0));
  log.release({ now: 0, picture: null, holdMs: 5_000 });
  return taken;
}

function texts(log: ChatLog, self: Author | null = null): string[] {
  return log.lines(self).map(({ entry }) => {
    if (entry.type !== 'message') return entry.type;
    return entry.deleted ? 'deleted' : entry.text;
  });
}

describe('ChatLog', () => {
  it('shows what comes, in order', () => {
    const log = new ChatLog();
    expect(take(log, said(7), said(8))).toEqual(['new', 'new']);
    expect(texts(log)).toEqual(['text 7', 'text 8']);
    expect(log.last).toBe(8);
  });

  it('shows nothing twice', () => {
    const log = new ChatLog();
    take(log, said(1), said(2), said(3));
    log.resumed(4);
    expect(take(log, said(2), said(3), said(4))).toEqual(['known', 'known', 'new']);
    expect(texts(log)).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
  });

  it('tells of a gap, and takes nothing that comes after it', () => {
    const log = new ChatLog();
    expect(take(log, said(1), said(3), said(4))).toEqual(['new', 'gap', 'gap']);
    expect(log.last).toBe(1);
    log.resumed(4);
    expect(take(log, said(2), said(3), said(4))).toEqual(['new', 'new', 'new']);
    expect(texts(log)).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
  });

  it('goes on where the server has no more of what is missing', () => {
    const log = new ChatLog();
    take(log, said(1));
    log.resumed(900);
    expect(take(log, said(800), said(801))).toEqual(['new', 'new']);
  });

  it('counts what is skipped, and goes on after it', () => {
    const log = new ChatLog();
    take(log, said(1));
    expect(log.skip(2, 5)).toBe('new');
    expect(log.skip(2, 5)).toBe('known');
    expect(take(log, said(6))).toEqual(['new']);
    expect(log.skip(9, 9)).toBe('gap');
    expect(log.skipped).toBe(4);
  });

  it('begins anew with a server that has another log', () => {
    const log = new ChatLog();
    take(log, said(100));
    log.resumed(3);
    expect(log.last).toBeNull();
    expect(take(log, said(2), said(3))).toEqual(['new', 'new']);
    expect(texts(log)).toEqual(['text 2', 'text 3']);
  });

  it('takes back a message that moderators delete', () => {
    const log = new ChatLog();
    take(log, said(1), said(2));
    const before = log.lines(null)[1];
    take(log, did(3, { kind: 'delete', seq: 1 }));
    expect(texts(log)).toEqual(['deleted', 'text 2', 'action']);
    expect(log.lines(null)[1]).toBe(before);
    expect(log.lines(null)[0]).toBe(log.lines(null)[0]);
  });

  it('takes back what came with a donation, not the donation', () => {
    const log = new ChatLog();
    const given = { kind: 'donation', amount: 500, currency: 'EUR', months: 0 } as const;
    const event = { ...given, name: 'Eve', text: 'rude' };
    take(log, { type: 'event', seq: 1, event, at: null, time: 0 });
    take(log, did(2, { kind: 'delete', seq: 1 }));
    const [line] = log.lines(null);
    expect(line?.entry).toMatchObject({ event: { name: '', text: '', amount: 500 } });
    expect(log.lines(null)[0]).toBe(line);
  });

  it('takes it back before it was shown, too', () => {
    const log = new ChatLog();
    log.take(said(1), 1_000, 0);
    log.take(did(2, { kind: 'delete', seq: 1 }), 1_001, 0);
    log.release({ now: 0, picture: 5_000, holdMs: 0 });
    expect(texts(log)).toEqual(['deleted', 'action']);
  });

  it('hides what somebody said before they were timed out or banned, not what they say later', () => {
    const log = new ChatLog();
    take(log, said(1, eve), said(2, ada), said(3, eve));
    take(log, did(4, { kind: 'timeout', author: 'e', seconds: 60 }), said(5, eve));
    expect(texts(log)).toEqual(['text 2', 'action', 'text 5']);
    take(log, did(6, { kind: 'ban', author: 'e' }));
    expect(texts(log)).toEqual(['text 2', 'action', 'action']);
  });

  it('keeps as many as can be read', () => {
    const log = new ChatLog();
    for (let seq = 1; seq <= MAX_SHOWN + 50; seq += 1) take(log, said(seq));
    expect(log.lines(null)).toHaveLength(MAX_SHOWN);
    expect(texts(log)[0]).toBe('text 51');
  });

  it('shows what one said oneself at once, and in its place when the picture is there', () => {
    const log = new ChatLog();
    log.take(said(1, eve), 2_000, 0);
    log.take(said(2, ada), 1_000, 0);
    log.release({ now: 0, picture: 0, holdMs: 0 });
    expect(texts(log, ada)).toEqual(['text 2']);
    log.release({ now: 0, picture: 2_000, holdMs: 0 });
    expect(texts(log, ada)).toEqual(['text 1', 'text 2']);
  });

  it('shows one’s own among what a busy room skips', () => {
    const log = new ChatLog();
    take(log, said(1));
    log.skip(2, 5);
    log.keepOwn(said(3, ada));
    take(log, said(6));
    expect(texts(log)).toEqual(['text 1', 'text 3', 'text 6']);
    log.keepOwn(said(6, ada));
    expect(texts(log)).toEqual(['text 1', 'text 3', 'text 6']);
  });

  it('shows one’s own once, whether its entry comes first or the news that it is stored', () => {
    const log = new ChatLog();
    take(log, said(1));
    log.keepOwn(said(2, ada));
    expect(texts(log)).toEqual(['text 1', 'text 2']);
    take(log, said(2, ada));
    expect(texts(log)).toEqual(['text 1', 'text 2']);
  });

  it('keeps the place of what it can’t show', () => {
    const log = new ChatLog();
    expect(take(log, said(1), { type: 'other', seq: 2, at: null, time: 0 }, said(3))).toEqual([
      'new',
      'new',
      'new',
    ]);
    expect(texts(log)).toEqual(['text 1', 'text 3']);
  });
});

/** A small generator, so that a seed that fails fails again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a log over connections that break anywhere', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is shown whole, in order and once (seed %i)', (seed) => {
    const random = generator(seed);
    const server = Array.from({ length: 300 }, (_, i) => said(i + 1));
    const log = new ChatLog();
    const shown = new Set<number>();
    while (log.last !== server.length) {
      log.resumed(server.length);
      // The server may begin too early, the connection ends somewhere, and what comes may have a hole.
      const from = Math.max(0, (log.last ?? 0) - random(5));
      const part = server.slice(from, from + 1 + random(40));
      if (random(3) === 0) part.splice(1 + random(part.length), 1);
      for (const entry of part) {
        if (log.take(entry, null, 0) === 'gap') break;
      }
      log.release({ now: 0, picture: null, holdMs: 0 });
      const seqs = log.lines(null).map(({ entry }) => entry.seq);
      expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] ?? 0) + i));
      for (const seq of seqs) shown.add(seq);
    }
    expect(shown.size).toBe(server.length);
  });
});
