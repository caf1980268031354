import { describe, expect, it } from 'vitest';
import { ALERT_MS, Alerts } from './alerts.ts';
import type { EventEntry } from './protocol.ts';

function given(seq: number): EventEntry {
  const event = {
    kind: 'donation',
    name: 'Grace',
    amount: 500,
    currency: 'EUR',
    text: '',
    months: 0,
  } as const;
  return { type: 'event', seq, event, at: null, time: 0 };
}

describe('Alerts', () => {
  it('are shown one after the other, each once', () => {
    const alerts = new Alerts();
    alerts.take([given(1), given(2)]);
    alerts.take([given(1), given(2), given(3)]);
    const shown = [0, ALERT_MS - 1, ALERT_MS, 2 * ALERT_MS, 3 * ALERT_MS].map(
      (now) => alerts.at(now)?.seq ?? null,
    );
    expect(shown).toEqual([1, 1, 2, 3, null]);
  });

  it('begin at once after a pause', () => {
    const alerts = new Alerts();
    expect(alerts.at(0)).toBeNull();
    alerts.take([given(5)]);
    expect(alerts.at(10)?.seq).toBe(5);
  });

  it('are no more than can be waited for', () => {
    const alerts = new Alerts();
    for (let seq = 1; seq <= 200; seq += 1) alerts.take([given(seq)]);
    let shown = 0;
    for (let now = 0; alerts.at(now) !== null; now += ALERT_MS) shown += 1;
    expect(shown).toBe(50);
  });
});
