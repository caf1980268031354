import { describe, expect, it } from 'vitest';
import { ChatMemory } from './memory.ts';

function shelf(): Pick<Storage, 'getItem' | 'setItem'> {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

describe('ChatMemory', () => {
  it('remembers the name everywhere, and who one is in each channel', () => {
    const kept = shelf();
    const memory = new ChatMemory('demo', kept);
    memory.name = 'Ada';
    memory.identity = 'secret';
    expect(new ChatMemory('demo', kept)).toMatchObject({ name: 'Ada', identity: 'secret' });
    expect(new ChatMemory('other', kept)).toMatchObject({ name: 'Ada', identity: '' });
  });

  it('does without where a browser keeps nothing', () => {
    const denied = {
      getItem: () => {
        throw new DOMException('denied', 'SecurityError');
      },
      setItem: () => {
        throw new DOMException('full', 'QuotaExceededError');
      },
    };
    for (const none of [denied, null]) {
      const memory = new ChatMemory('demo', none);
      expect(memory.name).toBe('');
      memory.name = 'Ada';
      memory.identity = 'secret';
      expect(memory).toMatchObject({ name: 'Ada', identity: 'secret' });
    }
  });
});
