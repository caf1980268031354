import { describe, expect, it } from 'vitest';
import { parseAudience, stalledShare } from './audience.ts';
import { audienceJson, STARTED_AT } from './fixtures.ts';

describe('parseAudience', () => {
  it('reads what the node says', () => {
    const audience = parseAudience(audienceJson());
    expect(audience).toMatchObject({
      broadcast: 'b1',
      startedAt: STARTED_AT,
      endedAt: null,
      step: 1,
    });
    expect(audience?.total).toMatchObject({
      watchedS: 540,
      joins: 3,
      viewersMost: 4,
      sessionsMost: 5,
      latencyMs: { count: 30, p50: 180, p95: 420, p99: 700 },
      startupMs: { p50: 300 },
    });
    expect(audience?.points.map(({ at }) => at)).toEqual([0, 1, 4, 5, 6]);
    expect(audience?.countries.map(({ name }) => name)).toEqual(['DE', 'other']);
    expect(audience?.heights).toEqual([{ height: 720, watchedS: 540 }]);
    expect(audience?.raised).toEqual([{ currency: 'EUR', amount: 1_250 }]);
  });

  it('has no percentiles where nothing was counted', () => {
    const none = { count: 0, p50: null, p95: null, p99: null };
    const audience = parseAudience(audienceJson({ total: { latency_ms: none } }));
    expect(audience?.total.latencyMs).toEqual(none);
    expect(audience?.total.startupMs).toEqual(none);
  });

  it('takes what it doesn’t understand for nothing, and what is no audience for none', () => {
    const odd = parseAudience(audienceJson({ points: [{ at: 'x' }, 7, { at: 2, joins: -4 }] }));
    expect(odd?.points).toMatchObject([{ at: 2, joins: 0, watchedS: 0 }]);
    expect(parseAudience({})).toBeNull();
    expect(parseAudience(null)).toBeNull();
    expect(parseAudience(audienceJson({ step: 0 }))).toBeNull();
    expect(parseAudience(audienceJson({ started_at: 'once' }))).toBeNull();
  });
});

describe('stalledShare', () => {
  it('is a share of all the time, if there was any', () => {
    const audience = parseAudience(audienceJson());
    expect(audience === null ? null : stalledShare(audience.total)).toBe(0.1);
    const nobody = parseAudience(audienceJson({ total: {} }));
    expect(nobody === null ? 0 : stalledShare(nobody.total)).toBeNull();
  });
});
