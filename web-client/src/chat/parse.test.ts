import { describe, expect, it } from 'vitest';
import { parseFrame } from './parse.ts';

const author = { id: 'a1', name: 'Ada', role: 'viewer' };
const frame = (...items: unknown[]) => parseFrame(JSON.stringify(items));

describe('parseFrame', () => {
  it('reads a welcome', () => {
    const [welcome] = frame({
      type: 'welcome',
      author,
      identity: 'secret',
      rights: { write: true, moderate: false, stream: false },
      rules: { slow_s: 5, followers_only_s: null, links: false, max_length: 300 },
      reactions: ['❤️', 7, '👍'],
      broadcast: { id: 'b', started_at: 1_700_000_000_000, now: 94_100 },
      last: 57,
      pinned: { type: 'message', seq: 12, id: 'c1', author, text: 'look', at: 5, time: 1 },
      goal: { title: 'Camera', currency: 'EUR', amount: 500, raised: 12 },
      following: true,
    });
    expect(welcome).toEqual({
      type: 'welcome',
      author,
      identity: 'secret',
      rights: { write: true, moderate: false, stream: false },
      rules: { slowS: 5, followersOnlyS: null, links: false, maxLength: 300, words: null },
      reactions: ['❤️', '👍'],
      broadcast: { id: 'b', startedAt: 1_700_000_000_000, now: 94_100 },
      last: 57,
      pinned: {
        type: 'message',
        seq: 12,
        id: 'c1',
        author,
        text: 'look',
        at: 5,
        time: 1,
        deleted: false,
      },
      goal: { title: 'Camera', currency: 'EUR', amount: 500, raised: 12 },
      following: true,
    });
  });

  it('reads what is pinned: a message, or nothing', () => {
    const message = { type: 'message', seq: 3, id: 'c1', author, text: 'look', at: 5, time: 1 };
    const others = [null, 3, { ...message, type: 'event' }, { ...message, deleted: true }];
    expect(frame({ type: 'pinned', entry: message })).toMatchObject([
      { type: 'pinned', entry: { seq: 3, text: 'look' } },
    ]);
    for (const entry of others) {
      expect(frame({ type: 'pinned', entry })).toEqual([{ type: 'pinned', entry: null }]);
    }
  });

  it('reads entries', () => {
    const items = frame(
      { type: 'message', seq: 42, id: 'c1', author, text: 'hi', at: 93_120, time: 1 },
      {
        type: 'message',
        seq: 43,
        id: 'c2',
        author,
        text: 'gone',
        at: null,
        time: 1,
        deleted: true,
      },
      { type: 'action', seq: 44, by: author, action: { kind: 'delete', seq: 42 }, at: 1, time: 1 },
      {
        type: 'event',
        seq: 45,
        event: { kind: 'donation', name: 'Grace', amount: 500, currency: 'EUR', text: 'great' },
        at: 1,
        time: 1,
      },
      { type: 'skipped', from: 46, to: 47 },
    );
    expect(items).toMatchObject([
      { type: 'message', seq: 42, text: 'hi', at: 93_120, deleted: false },
      { type: 'message', seq: 43, text: '', at: null, deleted: true },
      { type: 'action', action: { kind: 'delete', seq: 42 } },
      { type: 'event', event: { kind: 'donation', amount: 500, currency: 'EUR' } },
      { type: 'skipped', from: 46, to: 47 },
    ]);
  });

  it('keeps the place of entries that it doesn’t know', () => {
    const placed = { at: 5, time: 1 };
    expect(
      frame(
        { type: 'poll', seq: 1, ...placed },
        { type: 'action', seq: 2, by: author, action: { kind: 'raid' }, ...placed },
        { type: 'event', seq: 3, event: { kind: 'fireworks' }, ...placed },
        { type: 'message', seq: 4, author: null, text: 'x', ...placed },
      ),
    ).toEqual([1, 2, 3, 4].map((seq) => ({ type: 'other', seq, ...placed })));
  });

  it('ignores what it doesn’t know, and what isn’t sound', () => {
    expect(
      frame(
        { type: 'weather', mood: 'fine' },
        null,
        7,
        'text',
        [],
        { type: 'message', seq: 0, author, text: 'x', time: 1 },
        { type: 'message', seq: 1.5, author, text: 'x', time: 1 },
        { type: 'message', seq: '1', author, text: 'x', time: 1 },
        { type: 'skipped', from: 5, to: 4 },
        { type: 'clock', rtp: -1, at: 3 },
        { type: 'welcome', author: {} },
      ),
    ).toEqual([]);
  });

  it('reads no frame that isn’t an array in JSON, or far too long', () => {
    expect(parseFrame('{')).toEqual([]);
    expect(parseFrame('{"type":"presence"}')).toEqual([]);
    expect(parseFrame('null')).toEqual([]);
    expect(parseFrame(`[${' '.repeat(200_000)}]`)).toEqual([]);
  });

  it('bounds what it takes over', () => {
    const [entry] = frame({
      type: 'message',
      seq: 1,
      id: 'i',
      author: { id: 'a', name: 'n'.repeat(999), role: 'king' },
      text: 't'.repeat(9_999),
      at: 1,
      time: 1,
    });
    expect(entry).toMatchObject({ author: { role: 'viewer' } });
    if (entry?.type !== 'message') throw new Error('It is no message.');
    expect(entry.author.name).toHaveLength(64);
    expect(entry.text).toHaveLength(2_000);
  });

  it('takes names for no more than keys of their own', () => {
    const [item] = parseFrame('[{"type":"reactions","counts":{"__proto__":3,"❤️":2},"at":null}]');
    if (item?.type !== 'reactions') throw new Error('These are no reactions.');
    expect(item.counts.get('❤️')).toBe(2);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it('reads an RTP timestamp of 32 bits', () => {
    expect(frame({ type: 'clock', rtp: 4_294_967_295, at: 3 })).toEqual([
      { type: 'clock', rtp: 4_294_967_295, at: 3 },
    ]);
  });
});
