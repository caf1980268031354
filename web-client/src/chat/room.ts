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
  /** The pinned message, which may be older than all that was sent of the log. */
  pinned: MessageEntry | null = null;
  #broadcastSaidAt = 0;

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
      case 'pinned':
        this.pinned = item.entry;
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

  #welcome(welcome: Welcome, now: number): void {
    this.self = welcome.author;
    this.rights = welcome.rights;
    this.rules = welcome.rules;
    this.reactions = welcome.reactions;
    this.goal = welcome.goal;
    this.following = welcome.following;
    if (welcome.rights.write) this.muted = null;
    this.pinned = welcome.pinned;
    this.#setBroadcast(welcome.broadcast, now);
  }

  #setBroadcast(broadcast: Broadcast | null, now: number): void {
    this.broadcast = broadcast;
    this.#broadcastSaidAt = now;
  }
}
