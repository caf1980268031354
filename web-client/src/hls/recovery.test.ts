import { describe, expect, it } from 'vitest';
import { Recovery } from './recovery.ts';

const names = (recovery: Recovery, faults: ('network' | 'media')[], now = 0) =>
  faults.map((fault) => recovery.remedy(fault, now).name);

describe('Recovery', () => {
  it('loads again after longer and longer pauses, and then gives up', () => {
    const recovery = new Recovery(() => 0.5);
    const pauses = [1, 2, 3, 4].map(() => {
      const remedy = recovery.remedy('network', 0);
      return remedy.name === 'load-again' ? remedy.inMs : null;
    });
    expect(pauses).toEqual([375, 750, 1500, 3000]);
    expect(recovery.remedy('network', 0)).toEqual({ name: 'give-up' });
  });

  it('forgets failures once something was loaded', () => {
    const recovery = new Recovery();
    names(recovery, ['network', 'network', 'network', 'network']);
    recovery.loaded();
    expect(names(recovery, ['network'])).toEqual(['load-again']);
  });

  it('tries both recipes for the media, and then gives up', () => {
    const recovery = new Recovery();
    expect(names(recovery, ['media', 'media', 'media'])).toEqual([
      'recover-media',
      'swap-audio',
      'give-up',
    ]);
  });

  it('takes a media fault that comes later for another one', () => {
    const recovery = new Recovery();
    names(recovery, ['media', 'media'], 0);
    expect(names(recovery, ['media'], 6_000)).toEqual(['recover-media']);
  });

  it('has no remedy for anything else', () => {
    expect(new Recovery().remedy('other', 0)).toEqual({ name: 'give-up' });
  });
});
