import { beforeEach, describe, expect, it } from 'vitest';
import type { MessageEntry, Rules, Welcome } from './protocol.ts';
import { Room } from './room.ts';

const rules: Rules = { slowS: 0, followersOnlyS: null, links: true, maxLength: 500, words: ['x'] };
const eve = { id: 'e', name: 'Eve', role: 'viewer' } as const;
const placed = { at: null, time: 0 };

const welcome: Welcome = {
  type: 'welcome',
  author: { id: 'a', name: 'Ada', role: 'viewer' },
  identity: 'who',
  rights: { write: true, moderate: false, stream: false },
  rules,
  reactions: [],
  broadcast: { id: 'b', startedAt: 1_000_000, now: 5_000 },
  last: 9,
  pinned: null,
  goal: null,
  following: false,
};

const pinnedMessage: MessageEntry = {
  type: 'message',
  seq: 4,
  id: 'i',
  author: eve,
  text: 'look',
  deleted: false,
  ...placed,
};

let room: Room;

beforeEach(() => {
  room = new Room();
  room.take(welcome, 100);
});

describe('Room', () => {
  it('counts stream time on from what was said', () => {
    expect(room.streamTime(1_100)).toBe(6_000);
    room.take({ type: 'broadcast', broadcast: null }, 2_000);
    expect(room.streamTime(2_000)).toBeNull();
  });

  it('knows which entries are of the present broadcast', () => {
    expect(room.momentOf({ at: 50, time: 1_000_050 })).toBe(50);
    expect(room.momentOf({ at: 999_000, time: 999_999 })).toBeNull();
    room.take({ type: 'broadcast', broadcast: null }, 0);
    expect(room.momentOf({ at: 50, time: 1_000_050 })).toBeNull();
  });

  it('has what is pinned as it is told', () => {
    expect(room.pinned).toBeNull();
    room.take({ type: 'pinned', entry: pinnedMessage }, 0);
    expect(room.pinned?.text).toBe('look');
    room.take(welcome, 0);
    expect(room.pinned).toBeNull();
    room.take({ ...welcome, pinned: pinnedMessage }, 0);
    expect(room.pinned?.text).toBe('look');
    room.take({ type: 'pinned', entry: null }, 0);
    expect(room.pinned).toBeNull();
  });

  it('keeps the words that only moderators are told', () => {
    room.take({ type: 'rules', rules: { ...rules, slowS: 5, words: null } }, 0);
    expect(room.rules).toMatchObject({ slowS: 5, words: ['x'] });
  });

  it('knows why one may not write', () => {
    room.take({ type: 'rights', write: false, until: 5, reason: 'spam' }, 0);
    expect(room.rights.write).toBe(false);
    expect(room.muted).toEqual({ until: 5, reason: 'spam' });
    room.take({ type: 'rights', write: true, until: null, reason: '' }, 0);
    expect(room.muted).toBeNull();
  });
});
