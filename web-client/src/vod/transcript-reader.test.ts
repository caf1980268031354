import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../shared/problem.ts';
import { TranscriptReader } from './transcript-reader.ts';
import { Transcript, type Part } from './transcript.ts';

let parts: (string | null)[];
let status: number;
let asked: string[];
let isWanted: boolean;
let changes: number;
let reader: TranscriptReader;

/** A node that has a part for each `next`, and takes 100 ms for it. */
async function answer(after: string): Promise<Part> {
  asked.push(after);
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (status !== 200)
    throw new ProblemError({ status, title: 'no', detail: '', retryAfterMs: null });
  const place = after === '' ? 0 : parts.indexOf(after) + 1;
  return { entries: [], next: parts[place] ?? null };
}

beforeEach(() => {
  vi.useFakeTimers();
  parts = ['1', '2'];
  status = 200;
  asked = [];
  isWanted = true;
  changes = 0;
  reader = new TranscriptReader(new Transcript(answer), {
    isWanted: () => isWanted,
    onChange: () => {
      changes += 1;
    },
    random: () => 0,
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('TranscriptReader', () => {
  it('reads to the end, and says so once', async () => {
    reader.ask();
    await pass(299);
    expect([reader.state, changes]).toEqual(['begun', 0]);
    await pass(1);
    expect([reader.state, changes]).toEqual(['whole', 1]);
    expect(asked).toEqual(['', '1', '2']);
  });

  it('reads no more than a part of what nobody wants, and the rest when somebody does', async () => {
    isWanted = false;
    reader.ask();
    await pass(1_000);
    expect([reader.state, asked]).toEqual(['begun', ['']]);
    isWanted = true;
    reader.ask();
    await pass(1_000);
    expect([reader.state, asked]).toEqual(['whole', ['', '1', '2']]);
  });

  it('asks once at a time, and once more if it was asked to meanwhile', async () => {
    parts = [];
    reader.ask();
    reader.ask();
    reader.ask();
    expect(asked).toHaveLength(1);
    await pass(1_000);
    expect(asked).toHaveLength(2);
  });

  it('tries again after a while, later each time, and goes on where it was', async () => {
    reader.ask();
    await pass(150);
    status = 503;
    await pass(50);
    expect(reader.state).toBe('failing');
    // Whoever asks meanwhile waits as well.
    reader.ask();
    expect(asked).toEqual(['', '1']);
    await pass(250 + 100);
    expect(asked).toEqual(['', '1', '1']);
    status = 200;
    await pass(499);
    expect(asked).toHaveLength(3);
    await pass(201);
    expect([reader.state, asked.at(-1)]).toEqual(['whole', '2']);
  });

  it('takes a no for an answer until it’s asked again', async () => {
    status = 404;
    reader.ask();
    await pass(60_000);
    expect([reader.state, asked]).toEqual(['refused', ['']]);
    status = 200;
    reader.ask();
    await pass(1_000);
    expect(reader.state).toBe('whole');
  });
});
