import type {
  Author,
  Broadcast,
  Entry,
  Goal,
  MessageEntry,
  Rights,
  Rules,
  ServerItem,
  Welcome,
} from './protocol.ts';

/** Why and until when this client may not write. */
export interface Muted {
  /** Unix milliseconds; null: for good. */
  until: number | null;
  reason: string;
}

const NO_RULES: Rules = {
  slowS: 0,
  followersOnlyS: null,
  links: true,
  maxLength: 500,
  words: null,
};

/** What a client knows of the room that it's in, beside the log. */
export class Room {
  self: Author | null = null;
  rights: Rights = { write: false, moderate: false, stream: false };
  rules: Rules = NO_RULES;
  reactions: readonly string[] = [];
  goal: Goal | null = null;
  following = false;
  muted: Muted | null = null;
  presence: { viewers: number; chatters: number } | null = null;
  broadcast: Broadcast | null = null;
  #broadcastSaidAt = 0;
  #pinned: number | null = null;
  /** The pinned message, once it was seen: the log forgets what is old. */
  #pinnedMessage: MessageEntry | null = null;

  take(item: ServerItem, now: number): void {
    switch (item.type) {
      case 'welcome':
        this.#welcome(item, now);
        break;
      case 'presence':
        this.presence = item;
        break;
      case 'broadcast':
        this.#setBroadcast(item.broadcast, now);
        break;
      case 'rules':
        // Only moderators are told the words, and not each time.
        this.rules = { ...item.rules, words: item.rules.words ?? this.rules.words };
        break;
      case 'goal':
        this.goal = item.goal;
        break;
      case 'rights':
        this.rights = { ...this.rights, write: item.write };
        this.muted = item.write ? null : { until: item.until, reason: item.reason };
        break;
      case 'message':
        if (item.seq === this.#pinned && !item.deleted) this.#pinnedMessage = item;
        break;
      case 'action':
        this.#moderated(item);
    }
  }

  /** Stream time at the server; null off air. */
  streamTime(now: number): number | null {
    return this.broadcast === null ? null : this.broadcast.now + (now - this.#broadcastSaidAt);
  }

  /** An entry's moment in the present broadcast; null if it's of another one, or of none. */
  momentOf({ at, time }: Pick<Entry, 'at' | 'time'>): number | null {
    return this.broadcast === null || time < this.broadcast.startedAt ? null : at;
  }

  /** The message that is pinned, as far as it's known; `find` looks into the log. */
  pinned(find: (seq: number) => MessageEntry | null): MessageEntry | null {
    if (this.#pinned === null) return null;
    this.#pinnedMessage ??= find(this.#pinned);
    return this.#pinnedMessage;
  }

  #welcome(welcome: Welcome, now: number): void {
    this.self = welcome.author;
    this.rights = welcome.rights;
    this.rules = welcome.rules;
    this.reactions = welcome.reactions;
    this.goal = welcome.goal;
    this.following = welcome.following;
    if (welcome.rights.write) this.muted = null;
    this.#pin(welcome.pinned);
    this.#setBroadcast(welcome.broadcast, now);
  }

  #setBroadcast(broadcast: Broadcast | null, now: number): void {
    this.broadcast = broadcast;
    this.#broadcastSaidAt = now;
  }

  #pin(seq: number | null): void {
    if (seq !== this.#pinned) this.#pinnedMessage = null;
    this.#pinned = seq;
  }

  #moderated({ action, seq }: Entry & { type: 'action' }): void {
    const { kind } = action;
    if (kind === 'pin') this.#pin(action.seq);
    else if (kind === 'delete' && action.seq === this.#pinned) this.#pin(null);
    else if (kind === 'timeout' || kind === 'ban') {
      const isTheirs = this.#pinnedMessage?.author.id === action.author;
      if (isTheirs && (this.#pinned ?? 0) < seq) this.#pin(null);
    }
  }
}
