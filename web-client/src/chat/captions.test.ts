import { describe, expect, it } from 'vitest';
import { Captions } from './captions.ts';

const caption = (from: number, text: string, language = 'en', length = 2_000) =>
  ({ type: 'caption', language, from, to: from + length, text }) as const;

/** The picture is so far when the clock shows 0. */
const PICTURE = 60_000;

describe('Captions', () => {
  it('are shown from the moment they come, since their own is past', () => {
    const captions = new Captions();
    captions.take(caption(PICTURE - 5_000, 'hello'), PICTURE, 0);
    expect(captions.textAt('en', 0)).toBe('hello');
    expect(captions.textAt('en', 3_499)).toBe('hello');
    expect(captions.textAt('en', 3_500)).toBe('');
  });

  it('wait for a picture that is further behind', () => {
    const captions = new Captions();
    captions.take(caption(PICTURE + 3_000, 'hello'), PICTURE, 0);
    expect(captions.textAt('en', 2_999)).toBe('');
    expect(captions.textAt('en', 3_000)).toBe('hello');
  });

  it('follow each other when they come together', () => {
    const captions = new Captions();
    for (const [i, text] of ['one', 'two', 'three'].entries()) {
      captions.take(caption(i * 2_000, text), PICTURE, 0);
    }
    const seen = [0, 1_999, 2_000, 3_999, 4_000, 7_499, 7_500];
    expect(seen.map((now) => captions.textAt('en', now))).toEqual([
      ...['one', 'one', 'two', 'two', 'three', 'three', ''],
    ]);
  });

  it('give way to the next, however short or long they were', () => {
    const captions = new Captions();
    captions.take(caption(0, 'short', 'en', 10), PICTURE, 0);
    captions.take(caption(0, 'long', 'en', 30_000), PICTURE, 0);
    captions.take(caption(0, 'next'), PICTURE, 0);
    const seen = [1_199, 1_200, 7_199, 7_200];
    expect(seen.map((now) => captions.textAt('en', now))).toEqual([
      ...['short', 'long', 'long', 'next'],
    ]);
  });

  it('hurry when many wait, and are left out when they would be too late', () => {
    const captions = new Captions();
    for (let i = 0; i < 100; i += 1) captions.take(caption(0, `${i}`), PICTURE, 0);
    expect(captions.textAt('en', 6_000)).toBe('3');
    expect(captions.textAt('en', 7_200)).toBe('4');
    expect(captions.textAt('en', 60_000)).toBe('');
    captions.take(caption(PICTURE, 'again'), 2 * PICTURE, PICTURE);
    expect(captions.textAt('en', 60_000)).toBe('again');
  });

  it('are those of the language, and of the broadcast', () => {
    const captions = new Captions();
    captions.take(caption(1_000, 'hello'), PICTURE, 0);
    captions.take(caption(1_000, 'hallo', 'de'), null, 0);
    expect(captions.languages).toEqual(['en', 'de']);
    expect(captions.textAt('de', 500)).toBe('hallo');
    expect(captions.textAt('en', 500)).toBe('hello');
    captions.clear();
    expect(captions.languages).toEqual([]);
    expect(captions.textAt('en', 500)).toBe('');
  });

  it('are of few languages', () => {
    const captions = new Captions();
    for (let i = 0; i < 20; i += 1) captions.take(caption(0, 'x', `l${i}`), null, 0);
    expect(captions.languages).toHaveLength(8);
    expect(captions.textAt('l9', 0)).toBe('');
  });
});
