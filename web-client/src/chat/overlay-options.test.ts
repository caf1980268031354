import { describe, expect, it } from 'vitest';
import { readOverlayOptions } from './overlay-options.ts';

const read = (query: string) => readOverlayOptions(new URLSearchParams(query));

describe('readOverlayOptions', () => {
  it('shows everything unless told otherwise', () => {
    expect(read('')).toEqual({
      messages: 8,
      fadeMs: 30_000,
      events: true,
      goal: true,
      reactions: true,
      align: 'left',
      scale: 1,
    });
  });

  it('leaves out what isn’t wanted', () => {
    expect(read('messages=0&events=0&goal=0&reactions=0&fade=0&align=right&scale=1.5')).toEqual({
      messages: 0,
      fadeMs: 0,
      events: false,
      goal: false,
      reactions: false,
      align: 'right',
      scale: 1.5,
    });
  });

  it('bounds numbers, and ignores what is none', () => {
    expect(read('messages=999&scale=0&fade=-3')).toMatchObject({
      messages: 20,
      scale: 0.5,
      fadeMs: 0,
    });
    expect(read('messages=many&scale=&fade=NaN')).toMatchObject({
      messages: 8,
      scale: 1,
      fadeMs: 30_000,
    });
  });
});
