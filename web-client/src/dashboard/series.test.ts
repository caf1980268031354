import { describe, expect, it } from 'vitest';
import { parseAudience, type Audience } from './audience.ts';
import { audienceJson, STARTED_AT } from './fixtures.ts';
import { stepsOf } from './series.ts';

const MINUTE = 60_000;

function audience(more: object = {}): Audience {
  const parsed = parseAudience(audienceJson(more));
  if (parsed === null) throw new Error('the fixture is no audience');
  return parsed;
}

const viewers = (of: Audience, now: number): number[] =>
  stepsOf(of, now).map((step) => step.viewers);

describe('stepsOf', () => {
  it('has each minute that is over, with nobody where nothing was told', () => {
    const steps = stepsOf(audience(), STARTED_AT + 6.4 * MINUTE);
    expect(steps.map((step) => step.viewers)).toEqual([1, 4, 0, 0, 4, 1]);
    expect(steps.map((step) => (step.at - STARTED_AT) / MINUTE)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(steps[1]).toMatchObject({
      joins: 2,
      sessionsMost: 4,
      p50: 180,
      p95: 420,
      stalled: 0.25,
    });
    expect(steps[2]).toMatchObject({ joins: 0, p50: null, stalled: null });
  });

  it('has nothing before the first minute is over, nor for a clock that is behind', () => {
    expect(stepsOf(audience(), STARTED_AT + 59_999)).toEqual([]);
    expect(stepsOf(audience(), STARTED_AT - MINUTE)).toEqual([]);
  });

  it('counts the end of a broadcast by its own length', () => {
    const end = (ms: number): object => ({ ended_at: STARTED_AT + ms });
    const now = STARTED_AT + 60 * MINUTE;
    // 60 s watched in three quarters of a minute.
    expect(viewers(audience(end(5.75 * MINUTE)), now)).toEqual([1, 4, 0, 0, 4, 60 / 45]);
    // Of a few seconds it can't be said how many watched.
    expect(viewers(audience(end(5.1 * MINUTE)), now)).toEqual([1, 4, 0, 0, 4]);
    // But a broadcast that is no longer has nothing else.
    expect(viewers(audience(end(30_000)), now)).toEqual([2]);
  });

  it('takes longer steps as they come', () => {
    const point = { at: 10, watched_s: 1_200, stalled_s: 0, viewers: 2, joins: 1 };
    const steps = stepsOf(audience({ step: 10, points: [point] }), STARTED_AT + 21 * MINUTE);
    expect(steps.map((step) => step.viewers)).toEqual([0, 2]);
  });

  it('is bounded, however long the broadcast', () => {
    expect(stepsOf(audience(), STARTED_AT + 100_000 * MINUTE)).toHaveLength(1_440);
  });
});
