import type { Reading } from './transcript-reader.ts';
import { MAX_ENTRIES } from './transcript.ts';

/** What is said under a chat that is replayed; empty if nothing. */
export function chatNotice(state: Reading, isFull: boolean, shown: number): string {
  switch (state) {
    case 'begun':
      return 'Loading the chat…';
    case 'failing':
      return 'The chat can’t be reached. It’s tried again by itself.';
    case 'refused':
      return 'The chat couldn’t be loaded. Load the page again.';
    case 'whole':
      if (isFull) return `It was a long chat: its first ${MAX_ENTRIES} entries are shown.`;
      return shown === 0 ? 'Nothing had been said by then.' : '';
  }
}
