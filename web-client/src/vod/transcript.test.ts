import { describe, expect, it } from 'vitest';
import type { Entry } from '../chat/protocol.ts';
import { MAX_ENTRIES, parsePart, Transcript, type Part } from './transcript.ts';

function said(seq: number): Entry {
  return {
    type: 'message',
    seq,
    id: `i${seq}`,
    author: { id: 'a', name: 'Ada', role: 'viewer' },
    text: `text ${seq}`,
    at: seq * 1_000,
    time: 0,
    deleted: false,
  };
}

/** A log as a node tells it: 200 at a time. */
function node(log: Entry[]): (after: string) => Promise<Part> {
  return (after) => {
    const entries = log.filter(({ seq }) => seq > Number(after)).slice(0, 200);
    const last = entries.length === 200 ? entries.at(-1) : undefined;
    return Promise.resolve({ entries, next: last === undefined ? null : String(last.seq) });
  };
}

const seqs = (transcript: Transcript) => transcript.entries.map(({ seq }) => seq);

async function readAll(transcript: Transcript): Promise<number> {
  let parts = 1;
  while (await transcript.readOn()) parts += 1;
  return parts;
}

describe('Transcript', () => {
  it('is read a part at a time, and has each entry once', async () => {
    const log = Array.from({ length: 450 }, (_, i) => said(i + 1));
    const transcript = new Transcript(node(log));
    expect(await transcript.readOn()).toBe(true);
    expect(transcript.entries).toHaveLength(200);
    expect(await readAll(transcript)).toBe(2);
    expect(seqs(transcript)).toEqual(log.map(({ seq }) => seq));
  });

  it('goes on with what came meanwhile, and keeps the entries that it has', async () => {
    const log = [said(1), said(2)];
    const transcript = new Transcript(node(log));
    await readAll(transcript);
    const [first] = transcript.entries;
    log.splice(0, 2, said(1), said(2), ...Array.from({ length: 300 }, (_, i) => said(i + 5)));
    expect(await readAll(transcript)).toBe(2);
    expect(transcript.entries).toHaveLength(302);
    expect(transcript.entries[0]).toBe(first);
  });

  it('has a bound', async () => {
    let asked = 0;
    const log = Array.from({ length: MAX_ENTRIES + 500 }, (_, i) => said(i + 1));
    const transcript = new Transcript((after) => {
      asked += 1;
      return node(log)(after);
    });
    await readAll(transcript);
    expect(transcript.isFull).toBe(true);
    expect(transcript.entries.at(-1)?.seq).toBe(MAX_ENTRIES);
    await readAll(transcript);
    expect(asked).toBe(MAX_ENTRIES / 200);
  });

  it('ends with a node that always says the same, or has nothing but further parts', async () => {
    const stuck = new Transcript(() => Promise.resolve({ entries: [said(1)], next: '1' }));
    expect(await readAll(stuck)).toBe(2);
    let next = 0;
    const endless = new Transcript(() =>
      Promise.resolve({ entries: [], next: String((next += 1)) }),
    );
    expect(await readAll(endless)).toBe(MAX_ENTRIES / 200);
    expect(endless.isFull).toBe(true);
  });
});

describe('parsePart', () => {
  it('takes what it understands', () => {
    const placed = { seq: 2, at: 2_000, time: 0 };
    expect(
      parsePart({
        items: [said(1), { ...placed, type: 'new' }, { seq: -1 }, null, 'x'],
        next: '2',
      }),
    ).toEqual({
      entries: [said(1), { ...placed, type: 'other' }],
      next: '2',
    });
    for (const body of [null, 'x', [], {}, { items: 7, next: 7 }]) {
      expect(parsePart(body)).toEqual({ entries: [], next: null });
    }
  });
});
