import { describe, expect, it } from 'vitest';
import { MAX_WAITING, Outbox } from './outbox.ts';

function outbox(): Outbox {
  let made = 0;
  return new Outbox(() => `c${(made += 1)}`);
}

const ids = (box: Outbox) => box.unsent.map(({ id }) => id);

describe('Outbox', () => {
  it('says each message until it is heard, with the same id', () => {
    const box = outbox();
    box.add('one', null);
    box.add('two', null);
    expect(ids(box)).toEqual(['c1', 'c2']);
    box.sent('c1', 10);
    expect(ids(box)).toEqual(['c2']);
    expect(box.waitingSince).toBe(10);
    box.unsendAll();
    expect(ids(box)).toEqual(['c1', 'c2']);
    box.done('c1');
    expect(ids(box)).toEqual(['c2']);
  });

  it('doesn’t say again what was refused, unless its author wants it', () => {
    const box = outbox();
    box.add('one', null);
    box.sent('c1', 0);
    box.refused('c1', 'no');
    box.unsendAll();
    expect(ids(box)).toEqual([]);
    expect(box.waitingSince).toBeNull();
    box.again('c1');
    expect(ids(box)).toEqual(['c1']);
  });

  it('holds no more than it may', () => {
    const box = outbox();
    for (let i = 0; i < MAX_WAITING; i += 1) expect(box.add('text', null)).not.toBeNull();
    expect(box.add('text', null)).toBeNull();
    box.done('c1');
    expect(box.add('text', null)).not.toBeNull();
  });
});
