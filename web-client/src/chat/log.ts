import { Gate, type Look } from './gate.ts';
import type { Author, ChannelEvent, Entry, MessageEntry } from './protocol.ts';

/** So many entries are shown; the eldest go. */
export const MAX_SHOWN = 500;
/** So many wait for their picture, and so many hidden authors and deleted messages are remembered. */
const MAX_HELD = 1_000;
const MAX_REMEMBERED = 2_000;

/** One line of the chat: the same object as long as nothing of it changes. */
export interface Line {
  key: string;
  entry: Exclude<Entry, { type: 'other' }>;
  /** Whether it is this client's own, and not shown to others yet as far as is known. */
  isPending: boolean;
  /** Why it wasn't taken; null for what was. */
  refused: string | null;
}

/** What became of an entry that came. */
export type Taken = 'new' | 'known' | 'gap';

type Lined = Line['entry'];

/**
 * A channel's log as this client has seen it: every `seq` once and in order, what moderators did applied, and only what the
 * picture has reached shown.
 */
export class ChatLog {
  readonly #gate: Gate<Entry>;
  readonly #maxShown: number;
  #shown: Line[] = [];
  /** One's own messages that the room is too busy to show, by `seq`. */
  readonly #own = new Map<number, Lined>();
  readonly #deleted = new Set<number>();
  /** Of an author who was timed out or banned, everything before that. */
  readonly #hiddenBefore = new Map<string, number>();
  #last: number | null = null;
  /** Whether the next entry may be any: nothing came since the log was asked for. */
  #isFresh = true;
  #skipped = 0;

  /** So many lines are kept. */
  constructor(maxShown = MAX_SHOWN) {
    this.#maxShown = maxShown;
    this.#gate = new Gate(Math.max(MAX_HELD, maxShown));
  }

  /** The last `seq` that came; null before the first. */
  get last(): number | null {
    return this.#last;
  }

  /** How many entries weren't sent because the room is too busy or they are too old. */
  get skipped(): number {
    return this.#skipped;
  }

  get isWaiting(): boolean {
    return !this.#gate.isEmpty;
  }

  /**
   * The log was asked for, from the last entry on; `last` is the server's. A server that lags has nearly as many; one that has far
   * fewer has another log.
   */
  resumed(last: number): void {
    if (this.#last !== null && last < this.#last / 2) this.clear();
    this.#isFresh = true;
  }

  clear(): void {
    this.#gate.clear();
    this.#shown = [];
    this.#own.clear();
    this.#deleted.clear();
    this.#hiddenBefore.clear();
    this.#last = null;
    this.#isFresh = true;
  }

  /** Another broadcast begins, or none is on: its stream time has nothing to do with the one before. */
  restart(): void {
    this.#gate.restart();
  }

  /** `at` is the entry's moment in the present broadcast, null if it has none; `cameAt` when it was to be had. */
  take(entry: Entry, at: number | null, cameAt: number): Taken {
    const place = this.#place(entry.seq, entry.seq);
    if (place !== 'new') return place;
    this.#own.delete(entry.seq);
    this.#gate.push(entry, at, cameAt);
    this.#moderate(entry);
    return 'new';
  }

  skip(from: number, to: number): Taken {
    const place = this.#place(from, to);
    if (place === 'new') this.#skipped += to - from + 1;
    return place;
  }

  /** One's own message is in the log, but isn't sent as an entry. */
  keepOwn(entry: MessageEntry): void {
    const isThere =
      this.#shown.some((line) => line.entry.seq === entry.seq) ||
      this.#gate.items.some(({ seq }) => seq === entry.seq);
    if (isThere) return;
    this.#own.set(entry.seq, entry);
    forgetOver(this.#own, MAX_SHOWN);
  }

  /** Shows what may be seen now; whether there was any. */
  release(look: Look): boolean {
    const fresh = this.#gate.release(look).flatMap((entry) => lineOf(entry) ?? []);
    if (fresh.length === 0) return false;
    this.#shown = [...this.#shown, ...fresh].slice(-this.#maxShown);
    return true;
  }

  /** What is shown, in order; one's own that wait for the picture at the end. */
  lines(self: Author | null): Line[] {
    const waiting = this.#gate.items.filter(
      (entry): entry is MessageEntry => entry.type === 'message' && entry.author.id === self?.id,
    );
    const settled = this.#withOwn().filter((line) => !this.#isHidden(line.entry));
    return [...settled, ...waiting.flatMap((entry) => lineOf(entry) ?? [])].map((line) =>
      this.#asDeleted(line),
    );
  }

  /** What somebody called themselves last. */
  nameOf(author: string): string | null {
    const said = this.#shown.findLast(
      ({ entry }) => entry.type === 'message' && entry.author.id === author,
    )?.entry;
    return said?.type === 'message' ? said.author.name : null;
  }

  #place(from: number, to: number): Taken {
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    if (this.#last !== null && to <= this.#last) return 'known';
    const isNext = this.#last === null || from <= this.#last + 1;
    if (!isNext && !isFresh) return 'gap';
    this.#last = to;
    return 'new';
  }

  /** What moderators take back is gone at once, wherever the picture is. */
  #moderate(entry: Entry): void {
    if (entry.type !== 'action') return;
    const { action, seq } = entry;
    if (action.kind === 'delete') {
      this.#deleted.add(action.seq);
      forgetOver(this.#deleted, MAX_REMEMBERED);
    } else if (action.kind === 'timeout' || action.kind === 'ban') {
      this.#hiddenBefore.set(action.author, seq);
      forgetOver(this.#hiddenBefore, MAX_REMEMBERED);
    }
  }

  #isHidden(entry: Entry): boolean {
    if (entry.type !== 'message') return false;
    return entry.seq < (this.#hiddenBefore.get(entry.author.id) ?? 0);
  }

  #asDeleted(line: Line): Line {
    const entry = this.#deleted.has(line.entry.seq) ? withoutText(line.entry) : line.entry;
    if (entry === line.entry) return line;
    const gone: Line = { ...line, entry };
    const place = this.#shown.indexOf(line);
    if (place >= 0) this.#shown[place] = gone;
    return gone;
  }

  #withOwn(): Line[] {
    if (this.#own.size === 0) return this.#shown;
    const own = [...this.#own.values()].flatMap((entry) => lineOf(entry) ?? []);
    return [...this.#shown, ...own]
      .sort((a, b) => a.entry.seq - b.entry.seq)
      .slice(-this.#maxShown);
  }
}

/** As the log has it when what somebody wrote there is taken back; the same entry if there's nothing. */
function withoutText(entry: Lined): Lined {
  if (entry.type === 'message')
    return entry.deleted ? entry : { ...entry, text: '', deleted: true };
  if (entry.type !== 'event' || !says(entry.event)) return entry;
  return { ...entry, event: { ...entry.event, name: '', text: '' } };
}

/** Whether there's something in it that a giver wrote. */
export function says({ name, text }: ChannelEvent): boolean {
  return name !== '' || text !== '';
}

const lineCache = new WeakMap<Entry, Line>();

function lineOf(entry: Entry): Line | null {
  if (entry.type === 'other') return null;
  const known = lineCache.get(entry);
  if (known !== undefined) return known;
  const line: Line = { key: `s${entry.seq}`, entry, isPending: false, refused: null };
  lineCache.set(entry, line);
  return line;
}

/** The eldest go: both remember the order in which they were told. */
function forgetOver<Key>(
  memory: { size: number; keys: () => Iterable<Key>; delete: (key: Key) => boolean },
  most: number,
): void {
  for (const key of memory.keys()) {
    if (memory.size <= most) return;
    memory.delete(key);
  }
}
