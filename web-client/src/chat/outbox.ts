import type { Line } from './log.ts';
import type { Author } from './protocol.ts';

/** So many messages may wait to be taken; who types faster waits. */
export const MAX_WAITING = 20;

/** A message of one's own that the log isn't known to have. */
export interface Draft {
  id: string;
  text: string;
  /** The stream time of the picture that its author saw; null off air. */
  at: number | null;
  /** Null until it was sent over the present transport. */
  sentAt: number | null;
  /** Why it wasn't taken; null while that is open. */
  refused: string | null;
}

/** One's own messages until the log has them: each is said until it is heard, always with the same id. */
export class Outbox {
  readonly #makeId: () => string;
  readonly #drafts = new Map<string, Draft>();

  /** `makeId` never gives one twice, on no page of this author. */
  constructor(makeId: () => string = randomId) {
    this.#makeId = makeId;
  }

  get drafts(): Draft[] {
    return [...this.#drafts.values()];
  }

  get isFull(): boolean {
    return this.#drafts.size >= MAX_WAITING;
  }

  add(text: string, at: number | null): Draft | null {
    if (this.isFull) return null;
    const draft = { id: this.#makeId(), text, at, sentAt: null, refused: null };
    this.#drafts.set(draft.id, draft);
    return draft;
  }

  get(id: string): Draft | null {
    return this.#drafts.get(id) ?? null;
  }

  /** What is to be sent, in the order in which it was written. */
  get unsent(): Draft[] {
    return this.drafts.filter(({ sentAt, refused }) => sentAt === null && refused === null);
  }

  sent(id: string, now: number): void {
    this.#change(id, { sentAt: now });
  }

  /** The log has it, or its author gives it up. */
  done(id: string): void {
    this.#drafts.delete(id);
  }

  refused(id: string, reason: string): void {
    this.#change(id, { refused: reason });
  }

  /** Its author wants it sent once more. */
  again(id: string): void {
    this.#change(id, { refused: null, sentAt: null });
  }

  /** On another transport, what isn't known to be heard is said anew. */
  unsendAll(): void {
    for (const { id } of this.drafts) this.#change(id, { sentAt: null });
  }

  /** Since when the eldest that was sent has been waiting for an answer; null if none does. */
  get waitingSince(): number | null {
    const since = this.drafts.flatMap(({ sentAt, refused }) =>
      sentAt === null || refused !== null ? [] : [sentAt],
    );
    return since.length === 0 ? null : Math.min(...since);
  }

  #change(id: string, change: Partial<Draft>): void {
    const draft = this.#drafts.get(id);
    if (draft !== undefined) this.#drafts.set(id, { ...draft, ...change });
  }
}

/** 128 bits; `randomUUID` is there on secure origins only. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** One's own message that the log doesn't have yet; null before one is anybody. */
export function lineOfDraft(draft: Draft, self: Author | null): Line | null {
  if (self === null) return null;
  const { id, text, at, refused } = draft;
  const known = draftLines.get(draft);
  if (known !== undefined) return known;
  const line: Line = {
    key: `p${id}`,
    entry: { type: 'message', seq: 0, id, author: self, text, at, time: 0, deleted: false },
    isPending: refused === null,
    refused,
  };
  draftLines.set(draft, line);
  return line;
}

const draftLines = new WeakMap<Draft, Line>();
