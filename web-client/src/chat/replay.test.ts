import { describe, expect, it } from 'vitest';
import { MAX_SHOWN } from './log.ts';
import type { Entry } from './protocol.ts';
import { Replay } from './replay.ts';

const mod = { id: 'm', name: 'Mod', role: 'moderator' } as const;

function said(seq: number, at: number, author = 'a'): Entry {
  return {
    type: 'message',
    seq,
    id: `i${seq}`,
    author: { id: author, name: author, role: 'viewer' },
    text: `text ${seq}`,
    at,
    time: 0,
    deleted: false,
  };
}

const seqs = (replay: Replay, at: number) => replay.linesAt(at).map(({ entry }) => entry.seq);

describe('Replay', () => {
  it('shows at each moment what was to be seen then, forwards and back', () => {
    const replay = new Replay([said(1, 1_000), said(2, 5_000), said(3, 2_000), said(4, 9_000)]);
    expect(seqs(replay, 0)).toEqual([]);
    expect(seqs(replay, 4_999)).toEqual([1]);
    expect(seqs(replay, 5_000)).toEqual([1, 2, 3]);
    expect(seqs(replay, 60_000)).toEqual([1, 2, 3, 4]);
    expect(seqs(replay, 1_000)).toEqual([1]);
  });

  it('never shows what was taken back later', () => {
    const placed = { type: 'action', by: mod, at: 9_000, time: 0 } as const;
    const replay = new Replay([
      said(1, 1_000, 'eve'),
      said(2, 2_000),
      said(3, 3_000),
      { ...placed, seq: 4, action: { kind: 'ban', author: 'eve' } },
      { ...placed, seq: 5, action: { kind: 'delete', seq: 2 } },
    ]);
    expect(seqs(replay, 3_000)).toEqual([3]);
  });

  it('shows the latest of many, and the same as long as nothing changes', () => {
    const replay = new Replay(Array.from({ length: 5_000 }, (_, i) => said(i + 1, i * 1_000)));
    const lines = replay.linesAt(4_000_000);
    expect(lines).toHaveLength(MAX_SHOWN);
    expect(lines.at(-1)?.entry.seq).toBe(4_001);
    expect(replay.linesAt(4_000_999)).toBe(lines);
  });

  it('does with holes, as where entries are older than what is kept', () => {
    expect(seqs(new Replay([said(5, 1_000), said(90, 2_000)]), 5_000)).toEqual([5, 90]);
  });
});
