import { parseEntries } from '../chat/parse.ts';
import type { Entry } from '../chat/protocol.ts';
import { getJson } from '../shared/http.ts';

/** So many entries are asked for at a time, and so often at most. */
const PART = 200;
const MAX_PARTS = 100;
/** What was said in a broadcast after so many entries isn't replayed. */
export const MAX_ENTRIES = PART * MAX_PARTS;

/** A part of what was said in a broadcast. */
export interface Part {
  entries: Entry[];
  /** What the next one comes after; null if there is none yet. */
  next: string | null;
}

/** Gets the part after what was `next` of the one before; '' for the first. */
export async function fetchPart(broadcast: string, token: string, after: string): Promise<Part> {
  const query = new URLSearchParams({ limit: String(PART), ...(after !== '' && { after }) });
  const path = `/api/v1/broadcasts/${encodeURIComponent(broadcast)}/chat?${query.toString()}`;
  return parsePart(await getJson(path, token));
}

/** Takes what it understands. */
export function parsePart(body: unknown): Part {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const { items, next } = fields;
  return { entries: parseEntries(items), next: typeof next === 'string' ? next : null };
}

/** What was said in a broadcast, as far as it was read. One that is still on air is read on from where it ended. */
export class Transcript {
  readonly #fetch: (after: string) => Promise<Part>;
  readonly #entries: Entry[] = [];
  #after = '';
  #parts = 0;

  constructor(fetch: (after: string) => Promise<Part>) {
    this.#fetch = fetch;
  }

  /** In the log's order, each once. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** There are as many as are read, and there may have been more. */
  get isFull(): boolean {
    return this.#parts >= MAX_PARTS;
  }

  /** Reads a part, once at a time; whether there's another behind it. The last one is read again, as there may be more in it. */
  async readOn(): Promise<boolean> {
    if (this.isFull) return false;
    const { entries, next } = await this.#fetch(this.#after);
    const last = this.#entries.at(-1)?.seq ?? 0;
    this.#entries.push(...entries.slice(0, PART).filter(({ seq }) => seq > last));
    if (next === null || next === this.#after) return false;
    this.#after = next;
    this.#parts += 1;
    return !this.isFull;
  }
}
