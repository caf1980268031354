import { describe, expect, it } from 'vitest';
import {
  describeEvent,
  describeRefusal,
  describeRules,
  formatMoney,
  formatSpan,
  hueOf,
} from './words.ts';

describe('formatMoney', () => {
  it('knows each currency’s minor units', () => {
    expect(formatMoney(500, 'EUR')).toBe('€5.00');
    expect(formatMoney(500, 'JPY')).toBe('¥500');
    expect(formatMoney(1_500, 'KWD')).toMatch(/1\.500/);
  });

  it('writes down what is no currency', () => {
    expect(formatMoney(500, '12')).toBe('500 12');
  });
});

describe('formatSpan', () => {
  it('says how long', () => {
    expect([1, 45, 60, 90, 600, 3_600, 86_400, 604_800].map(formatSpan)).toEqual([
      '1 s',
      '45 s',
      '1 min',
      '1.5 min',
      '10 min',
      '1 h',
      '1 day',
      '7 days',
    ]);
  });
});

describe('refusals', () => {
  const refusal = { type: 'error', id: null, retryAfterS: null } as const;

  it('are told in plain words', () => {
    expect(describeRefusal({ ...refusal, code: 'links', text: 'x' })).toMatch(/Links/);
    expect(describeRefusal({ ...refusal, code: 'slow', text: 'x', retryAfterS: 12 })).toBe(
      'Slow mode: wait 12 s.',
    );
  });

  it('are told in the server’s where there are no others', () => {
    expect(describeRefusal({ ...refusal, code: 'new', text: 'The moon is full.' })).toBe(
      'The moon is full.',
    );
    expect(describeRefusal({ ...refusal, code: 'new', text: '' })).not.toBe('');
  });
});

describe('rules', () => {
  it('are told as far as they are unusual', () => {
    const rules = { slowS: 0, followersOnlyS: null, links: true, maxLength: 500, words: null };
    expect(describeRules(rules)).toBe('');
    expect(describeRules({ ...rules, slowS: 30, followersOnlyS: 600, links: false })).toBe(
      'Slow mode: one message in 30 s · Followers of 10 min only · No links',
    );
  });
});

describe('events', () => {
  it('say what was given', () => {
    const event = {
      kind: 'donation',
      name: 'Grace',
      amount: 500,
      currency: 'EUR',
      text: '',
      months: 0,
    } as const;
    expect(describeEvent(event)).toBe('donated €5.00');
    expect(describeEvent({ ...event, kind: 'subscription', amount: 0, currency: '' })).toBe(
      'subscribed',
    );
    expect(describeEvent({ ...event, kind: 'subscription', months: 3 })).toBe(
      'subscribed for €5.00, 3 months now',
    );
  });
});

describe('hueOf', () => {
  it('is the same for the same author, and differs among many', () => {
    const hues = Array.from({ length: 60 }, (_, i) => hueOf(`author-${i}`));
    expect(hueOf('author-7')).toBe(hues[7]);
    expect(hues.every((hue) => hue >= 0 && hue < 360)).toBe(true);
    expect(new Set(hues).size).toBeGreaterThan(15);
  });
});
