import { expect, it } from 'vitest';
import { chatNotice } from './chat-notice.ts';

it('says what is missing, and why', () => {
  expect(chatNotice('begun', false, 0)).toMatch(/Loading/);
  expect(chatNotice('failing', false, 7)).toMatch(/tried again/);
  expect(chatNotice('refused', false, 0)).toMatch(/couldn’t be loaded/);
  expect(chatNotice('whole', false, 0)).toMatch(/Nothing/);
  expect(chatNotice('whole', true, 500)).toMatch(/first 20000 entries/);
  expect(chatNotice('whole', false, 3)).toBe('');
});
