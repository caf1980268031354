import { describe, expect, it } from 'vitest';
import { Gate, HOLD_MS, type Look } from './gate.ts';

const look = (now: number, picture: number | null): Look => ({ now, picture, holdMs: HOLD_MS });

function gateOf(...items: [name: string, at: number | null, cameAt: number][]): Gate<string> {
  const gate = new Gate<string>(100);
  for (const item of items) gate.push(...item);
  return gate;
}

describe('Gate', () => {
  it('lets out what the picture has reached', () => {
    const gate = gateOf(['one', 1_000, 0], ['two', 2_000, 0]);
    expect(gate.release(look(10, 999))).toEqual([]);
    expect(gate.release(look(20, 1_000))).toEqual(['one']);
    expect(gate.release(look(30, 1_999.9))).toEqual([]);
    expect(gate.release(look(40, 2_000))).toEqual(['two']);
  });

  it('keeps the order: what is of an earlier moment waits for what came before it', () => {
    const gate = gateOf(['late', 5_000, 0], ['early', 1_000, 0], ['later', 6_000, 0]);
    expect(gate.release(look(0, 4_999))).toEqual([]);
    expect(gate.release(look(0, 5_000))).toEqual(['late', 'early']);
    expect(gate.release(look(0, 6_000))).toEqual(['later']);
  });

  it('remembers the latest moment after it was let out', () => {
    const gate = gateOf(['late', 5_000, 0]);
    gate.release(look(0, 5_000));
    gate.push('early', 1_000, 0);
    // A player that fell back a little.
    expect(gate.release(look(0, 4_000))).toEqual([]);
    expect(gate.release(look(0, 5_000))).toEqual(['early']);
  });

  it('waits so long without a picture', () => {
    const gate = gateOf(['one', 1_000, 100]);
    expect(gate.release(look(HOLD_MS + 99, null))).toEqual([]);
    expect(gate.release(look(HOLD_MS + 100, null))).toEqual(['one']);
  });

  it('lets at once what belongs to no moment, but not before what came before it', () => {
    expect(gateOf(['off air', null, 0]).release(look(0, null))).toEqual(['off air']);
    const gate = gateOf(['on air', 1_000, 0], ['off air', null, 0]);
    expect(gate.release(look(10, null))).toEqual([]);
    expect(gate.release(look(HOLD_MS, null))).toEqual(['on air', 'off air']);
  });

  it('waits for no picture for ever', () => {
    const gate = gateOf(['one', 9_000_000, 0]);
    expect(gate.release(look(59_999, 0))).toEqual([]);
    expect(gate.release(look(60_000, 0))).toEqual(['one']);
  });

  it('holds no more than it may', () => {
    const gate = new Gate<number>(3);
    for (let i = 0; i < 5; i += 1) gate.push(i, 1_000, 0);
    expect(gate.release(look(0, 0))).toEqual([0, 1]);
    expect(gate.items).toEqual([2, 3, 4]);
  });

  it('begins anew with another broadcast', () => {
    const gate = gateOf(['before', 3_600_000, 0]);
    gate.restart();
    gate.push('first', 100, 0);
    expect(gate.release(look(0, 50))).toEqual(['before']);
    expect(gate.release(look(0, 100))).toEqual(['first']);
  });
});
