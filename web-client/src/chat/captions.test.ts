import { describe, expect, it } from 'vitest';
import { Captions } from './captions.ts';

const caption = (from: number, text: string, language = 'en') =>
  ({ type: 'caption', language, from, to: from + 2_000, text }) as const;

describe('Captions', () => {
  it('are read while they are said, and a little longer', () => {
    const captions = new Captions();
    captions.take(caption(1_000, 'hello'));
    captions.take(caption(10_000, 'bye'));
    expect(captions.textAt('en', 999)).toBe('');
    expect(captions.textAt('en', 1_000)).toBe('hello');
    expect(captions.textAt('en', 4_500)).toBe('hello');
    expect(captions.textAt('en', 4_501)).toBe('');
    expect(captions.textAt('en', 10_001)).toBe('bye');
  });

  it('give way to the next', () => {
    const captions = new Captions();
    captions.take(caption(1_000, 'one'));
    captions.take(caption(2_000, 'two'));
    expect(captions.textAt('en', 2_500)).toBe('two');
  });

  it('are those of the language, and nothing without a picture', () => {
    const captions = new Captions();
    captions.take(caption(1_000, 'hello'));
    captions.take(caption(1_000, 'hallo', 'de'));
    expect(captions.languages).toEqual(['en', 'de']);
    expect(captions.textAt('de', 1_500)).toBe('hallo');
    expect(captions.textAt('de', null)).toBe('');
  });

  it('are few', () => {
    const captions = new Captions();
    for (let i = 0; i < 60; i += 1) captions.take(caption(i * 10_000, `text ${i}`));
    expect(captions.textAt('en', 0)).toBe('');
    expect(captions.textAt('en', 590_000)).toBe('text 59');
    for (let i = 0; i < 20; i += 1) captions.take(caption(0, 'x', `l${i}`));
    expect(captions.languages).toHaveLength(8);
  });
});
