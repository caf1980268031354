import { beforeEach, describe, expect, it } from 'vitest';
import { Reactions } from './reactions.ts';

let said: [string, number][];
let floated: [string, number][];
let reactions: Reactions;

beforeEach(() => {
  said = [];
  floated = [];
  reactions = new Reactions({
    say: (...taps) => said.push(taps),
    onReaction: (...taps) => floated.push(taps),
  });
});

const look = (now: number, picture: number | null) => ({ now, picture, holdMs: 5_000 });
const counts = (count: number, at: number) =>
  ({ type: 'reactions', counts: new Map([['❤️', count]]), at }) as const;

describe('Reactions', () => {
  it('tells the server of taps', () => {
    reactions.tap('❤️', 0);
    expect(reactions.isWaiting).toBe(true);
    reactions.look(look(0, null));
    expect(said).toEqual([['❤️', 1]]);
    expect(reactions.isWaiting).toBe(false);
  });

  it('floats nothing where nobody else has tapped', () => {
    reactions.tap('❤️', 0);
    reactions.take(counts(1, 100), 50);
    reactions.look(look(100, 100));
    expect(floated).toEqual([]);
    reactions.take(counts(2, 200), 150);
    reactions.look(look(200, 200));
    expect(floated).toEqual([['❤️', 2]]);
  });

  it('waits for no picture of a broadcast that is over', () => {
    reactions.take(counts(1, 3_600_000), 0);
    reactions.restart();
    reactions.look(look(10, 0));
    expect(floated).toEqual([['❤️', 1]]);
  });
});
