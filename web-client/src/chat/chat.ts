import { ChatConnection, type LineState } from './connection.ts';
import { HOLD_MS, type Look } from './gate.ts';
import { ChatLog, type Line } from './log.ts';
import type { Memory } from './memory.ts';
import { lineOfDraft, Outbox } from './outbox.ts';
import type {
  Action,
  Caption,
  ClientItem,
  ClockPair,
  Entry,
  MessageEntry,
  Refusal,
  Report,
  ServerItem,
} from './protocol.ts';
import { Reactions } from './reactions.ts';
import { Room } from './room.ts';
import type { Transport } from './transport.ts';
import { describeRefusal } from './words.ts';

/** How often it's looked whether the picture has got to what waits for it. */
const LOOK_MS = 50;
/** What isn't answered for so long was said into a dead connection. */
const ANSWER_MS = 10_000;
/** A name that can't be had, of a hello or a change. */
const NAMES: readonly string[] = ['name_taken', 'name_refused'];

export interface ChatPorts {
  openSocket: () => Transport;
  memory: Memory;
  /** The token that rights come from; empty without one. */
  token: () => string;
  /** The stream time of the picture that is seen, given stream time 0 in Unix milliseconds; null without a picture. */
  picture: (startedAt: number) => number | null;
  /** How long what comes is held back without a picture. */
  holdMs?: number;
  /** How many of the latest entries are wanted at first. */
  history?: number;
  /** Something of what is to be seen has changed. */
  onChange: () => void;
  /** Taps of others. */
  onReaction: (emoji: string, count: number) => void;
  onClock?: (pair: ClockPair) => void;
  onCaption?: (caption: Caption) => void;
  /** Another broadcast is on, or none. */
  onBroadcast?: () => void;
  /** What the viewer asked for was refused. */
  onRefusal?: (text: string) => void;
}

/**
 * A channel's chat: what is known of the room, what is said in it, and what this client has to say.
 *
 * `start` it, `offer` it data channels when there are some, and `stop` it in the end. All that it knows is to be read again after
 * `onChange`.
 */
export class Chat {
  readonly room = new Room();
  readonly #ports: ChatPorts;
  readonly #connection: ChatConnection;
  readonly #log = new ChatLog();
  readonly #outbox = new Outbox();
  readonly #reactions: Reactions;
  #state: LineState = { name: 'off' };
  #readyAt: number | null = null;
  /** The name that was refused isn't asked for again. */
  #refusedName: string | null = null;
  /** When the next message may be sent in slow mode. */
  #slowUntil = -Infinity;
  #requests = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: ChatPorts) {
    this.#ports = ports;
    this.#reactions = new Reactions({
      say: (emoji, count) => this.#connection.sayLossy({ type: 'reaction', emoji, count }),
      onReaction: ports.onReaction,
    });
    this.#connection = new ChatConnection({
      openSocket: ports.openSocket,
      hello: () => this.#hello(),
      onItems: (items) => {
        for (const item of items) this.#take(item);
        this.#look();
        ports.onChange();
      },
      onState: (state) => {
        if (state.name !== 'ready') this.#readyAt = null;
        else this.#readyAt ??= performance.now();
        this.#state = state;
        ports.onChange();
      },
    });
  }

  get state(): LineState {
    return this.#state;
  }

  /** Since when something can be said, by `performance.now()`; null: it can't now. */
  get readyAt(): number | null {
    return this.#readyAt;
  }

  /** What is to be seen, in order: the log, then one's own that it hasn't. */
  get lines(): Line[] {
    const { self } = this.room;
    const drafts = this.#outbox.drafts.map((draft) => lineOfDraft(draft, self));
    return [...this.#log.lines(self), ...drafts.flatMap((line) => line ?? [])];
  }

  get pinned(): MessageEntry | null {
    return this.room.pinned;
  }

  /** The last entry that came. For tests and the curious. */
  get last(): number | null {
    return this.#log.last;
  }

  get name(): string {
    return this.room.self?.name ?? this.#ports.memory.name;
  }

  /** How long until one may write again in slow mode, in milliseconds. */
  get slowMs(): number {
    return Math.max(0, this.#slowUntil - performance.now());
  }

  nameOf(author: string): string {
    return this.#log.nameOf(author) ?? 'somebody';
  }

  start(): void {
    this.#connection.start();
    this.#look();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connection.stop();
  }

  /** The token has changed: who one is may be another now. */
  renew(): void {
    this.#outbox.unsendAll();
    if (this.#state.name === 'refused') this.#connection.start();
    else this.#connection.drop();
  }

  /** The network is back: there's no use in waiting. */
  wake(): void {
    this.#connection.hurry();
  }

  offer(channels: Transport | null, areComing = false): void {
    this.#connection.offer(channels, areComing);
  }

  /** Gives false for what can't be sent now: too much waits already, or slow mode. */
  send(text: string): boolean {
    if (this.slowMs > 0) return false;
    const { slowS } = this.room.rules;
    const { moderate, stream } = this.room.rights;
    const draft = this.#outbox.add(text, this.#streamTime());
    if (draft === null) return false;
    if (!moderate && !stream) this.#slowUntil = performance.now() + slowS * 1_000;
    this.#flush();
    this.#changed();
    return true;
  }

  /** What was refused is sent once more. */
  sendAgain(id: string): void {
    this.#outbox.again(id);
    this.#flush();
    this.#changed();
  }

  discard(id: string): void {
    this.#outbox.done(id);
    this.#changed();
  }

  tap(emoji: string): void {
    this.#reactions.tap(emoji, performance.now());
    this.#lookSoon();
  }

  /** Gives false if it can't be said now. */
  moderate(action: Action): boolean {
    this.#requests += 1;
    return this.#connection.say({ type: 'moderate', id: `m${this.#requests}`, action });
  }

  follow(on: boolean): void {
    if (!this.#connection.say({ type: 'follow', on })) return;
    this.room.following = on;
    this.#changed();
  }

  rename(name: string): void {
    this.#connection.say({ type: 'rename', name });
  }

  /** Gives false if it can't be said now. */
  report(report: Report): boolean {
    return this.#connection.say({ type: 'report', ...report });
  }

  #hello(): ClientItem {
    const { memory, token, history } = this.#ports;
    const name = memory.name === this.#refusedName ? '' : memory.name;
    const { last } = this.#log;
    return {
      type: 'hello',
      ...(name !== '' && { name }),
      ...(token() !== '' && { token: token() }),
      ...(memory.identity !== '' && { identity: memory.identity }),
      ...(last === null ? history !== undefined && { history } : { after: last }),
    };
  }

  #take(item: ServerItem): void {
    const now = performance.now();
    const before = this.room.broadcast?.id;
    this.room.take(item, now);
    switch (item.type) {
      case 'welcome':
        this.#log.resumed(item.last);
        if (item.identity !== '') this.#ports.memory.identity = item.identity;
        this.#outbox.unsendAll();
        this.#flush();
        break;
      case 'message':
      case 'action':
      case 'event':
      case 'other':
        this.#takeEntry(item, now);
        break;
      case 'skipped':
        if (this.#log.skip(item.from, item.to) === 'gap') this.#connection.drop();
        break;
      case 'stored':
        this.#stored(item.id, item.seq);
        break;
      case 'renamed':
        this.#renamed(item.name);
        break;
      case 'error':
        this.#refused(item, now);
        break;
      case 'reactions':
        this.#reactions.take(item, now);
        break;
      case 'clock':
        this.#ports.onClock?.(item);
        break;
      case 'caption':
        this.#ports.onCaption?.(item);
    }
    if (this.room.broadcast?.id !== before) this.#broadcastChanged();
  }

  #broadcastChanged(): void {
    this.#log.restart();
    this.#reactions.restart();
    this.#ports.onBroadcast?.();
  }

  #takeEntry(entry: Entry, now: number): void {
    const at = this.room.momentOf(entry);
    const age = at === null ? 0 : Math.max(0, (this.room.streamTime(now) ?? at) - at);
    // What was said before this client came was to be had when it was said.
    const taken = this.#log.take(entry, at, now - age);
    if (taken === 'gap') this.#connection.drop();
    if (entry.type === 'message' && entry.author.id === this.room.self?.id) {
      this.#outbox.done(entry.id);
    }
  }

  /** It is in the log, and may not be sent as an entry. */
  #stored(id: string, seq: number): void {
    const { self } = this.room;
    const draft = this.#outbox.get(id);
    this.#outbox.done(id);
    if (draft === null || self === null) return;
    const { text, at } = draft;
    const time = Date.now();
    this.#log.keepOwn({
      type: 'message',
      seq,
      id,
      author: self,
      text,
      at,
      time,
      deleted: false,
    });
  }

  #refused(refusal: Refusal, now: number): void {
    const { code, id, retryAfterS } = refusal;
    const text = describeRefusal(refusal);
    if (code === 'slow' && retryAfterS !== null) this.#slowUntil = now + retryAfterS * 1_000;
    if (NAMES.includes(code)) this.#refusedName = this.#ports.memory.name;
    if (id !== null && this.#outbox.get(id) !== null) this.#outbox.refused(id, text);
    else this.#ports.onRefusal?.(text);
  }

  /** Perhaps on another page of the same author; one that read too slowly is told again what it is called. */
  #renamed(name: string): void {
    if (name === this.room.self?.name) return;
    this.#ports.memory.name = name;
    this.#refusedName = null;
    if (this.room.self !== null) this.room.self = { ...this.room.self, name };
  }

  /** What the author of a message sees, or else what is on air. */
  #streamTime(): number | null {
    const { broadcast } = this.room;
    if (broadcast === null) return null;
    const seen =
      this.#ports.picture(broadcast.startedAt) ?? this.room.streamTime(performance.now());
    return seen === null ? null : Math.max(0, Math.round(seen));
  }

  #flush(): void {
    for (const { id, text, at } of this.#outbox.unsent) {
      const said = this.#connection.say({
        type: 'message',
        id,
        text,
        ...(at !== null && { at }),
      });
      if (!said) break;
      this.#outbox.sent(id, performance.now());
    }
    this.#lookSoon();
  }

  /** Shows what may be seen now, and looks again while anything waits. */
  #look(): void {
    const now = performance.now();
    const look = this.#now(now);
    const shows = this.#log.release(look);
    this.#reactions.look(look);
    const since = this.#outbox.waitingSince;
    if (since !== null && now - since > ANSWER_MS) this.#unanswered();
    else if (this.#outbox.unsent.length > 0 && this.#state.name === 'ready') this.#flush();
    if (shows) this.#ports.onChange();
    this.#lookSoon();
  }

  #now(now: number): Look {
    const { broadcast, rights } = this.room;
    const isTrusted = rights.moderate || rights.stream;
    return {
      now,
      picture: broadcast === null ? null : this.#ports.picture(broadcast.startedAt),
      holdMs: isTrusted ? 0 : (this.#ports.holdMs ?? HOLD_MS),
    };
  }

  #unanswered(): void {
    this.#outbox.unsendAll();
    this.#connection.drop();
  }

  #lookSoon(): void {
    if (this.#timer !== undefined || this.#state.name === 'off') return;
    const waits =
      this.#log.isWaiting ||
      this.#reactions.isWaiting ||
      this.#outbox.drafts.some(({ refused }) => refused === null);
    if (!waits) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, LOOK_MS);
  }

  #changed(): void {
    this.#ports.onChange();
  }
}
