import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError, type Problem } from '../shared/problem.ts';
import { Poll } from './poll.ts';

const problem = (status: number, retryAfterMs: number | null = null): Problem => ({
  status,
  title: 'No',
  detail: '',
  retryAfterMs,
});

function setUp() {
  const seen = { asked: 0, problems: [] as (Problem | null)[], refused: [] as Problem[] };
  const world = { answer: (): Promise<void> => Promise.resolve(), hidden: false };
  const poll = new Poll({
    ask: () => {
      seen.asked += 1;
      return world.answer();
    },
    isHidden: () => world.hidden,
    onAsked: (each) => seen.problems.push(each),
    onRefused: (each) => seen.refused.push(each),
    random: () => 1,
  });
  const fail = (each: Problem): void => {
    world.answer = () => Promise.reject(new ProblemError(each));
  };
  return { seen, world, poll, fail };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Poll', () => {
  it('asks every 5 s, and not before it is answered', async () => {
    const { seen, world, poll } = setUp();
    poll.start();
    await vi.advanceTimersByTimeAsync(14_999);
    expect(seen.asked).toBe(3);
    expect(poll.answeredAt).toBe(performance.now() - 4_999);
    world.answer = () => new Promise((resolve) => setTimeout(resolve, 20_000));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(seen.asked).toBe(4);
  });

  it('asks after longer and longer pauses while it fails, and soon again when it’s mended', async () => {
    const { seen, world, poll, fail } = setUp();
    fail(problem(500));
    poll.start();
    await vi.advanceTimersByTimeAsync(5_000 + 10_000 + 20_000 - 1);
    expect(seen.asked).toBe(3);
    expect(poll.answeredAt).toBeNull();
    await vi.advanceTimersByTimeAsync(1 + 40_000 + 60_000 + 60_000);
    expect(seen.asked).toBe(7);
    world.answer = () => Promise.resolve();
    await vi.advanceTimersByTimeAsync(60_000 + 5_000);
    expect(seen.asked).toBe(9);
    expect(seen.problems.map((each) => each?.status)).toEqual([
      ...Array<number>(7).fill(500),
      ...[undefined, undefined],
    ]);
  });

  it('waits as long as the node asks for', async () => {
    const { seen, poll, fail } = setUp();
    fail(problem(429, 30_000));
    poll.start();
    await vi.advanceTimersByTimeAsync(34_999);
    expect(seen.asked).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.asked).toBe(2);
  });

  it('doesn’t ask while nobody looks, and at once when somebody does again', async () => {
    const { seen, world, poll } = setUp();
    poll.start();
    await vi.advanceTimersByTimeAsync(0);
    world.hidden = true;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(seen.asked).toBe(1);
    world.hidden = false;
    poll.wake();
    poll.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen.asked).toBe(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(seen.asked).toBe(3);
  });

  it.each([401, 403])('ends with %i, and says so', async (status) => {
    const { seen, poll, fail } = setUp();
    fail(problem(status));
    poll.start();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(seen).toMatchObject({ asked: 1, problems: [], refused: [{ status }] });
  });

  it('takes no answer to what was asked before another question or the end', async () => {
    const { seen, world, poll } = setUp();
    world.answer = () => new Promise((resolve) => setTimeout(resolve, 100));
    poll.start();
    poll.again();
    await vi.advanceTimersByTimeAsync(100);
    expect(seen).toMatchObject({ asked: 2, problems: [null] });
    poll.again();
    poll.stop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(seen).toMatchObject({ asked: 3, problems: [null] });
    expect(poll.answeredAt).toBeNull();
  });
});
