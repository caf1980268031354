/** What is said in a channel's chat: docs/chat-protocol.md. Names are the protocol's own but for their case. */

/** What somebody may do; the later may do more. */
export type Role = 'viewer' | 'moderator' | 'streamer';

export interface Author {
  id: string;
  name: string;
  role: Role;
}

/** What moderators do, as they ask for it and as the log has it. */
export type Action =
  | { kind: 'delete'; seq: number }
  | { kind: 'timeout'; author: string; seconds: number; reason?: string }
  | { kind: 'ban'; author: string; reason?: string }
  | { kind: 'unban'; author: string }
  | { kind: 'pin'; seq: number | null }
  | ({ kind: 'rules' } & Partial<RuleSettings>)
  | { kind: 'goal'; currency: string; amount: number; title: string };

/** The rules that moderators set. */
export interface RuleSettings {
  slow_s: number;
  followers_only_s: number | null;
  links: boolean;
  words: string[];
}

/** What came from outside, such as from a payment provider. */
export interface ChannelEvent {
  kind: 'donation' | 'subscription';
  name: string;
  /** In minor units. */
  amount: number;
  /** ISO 4217; empty without an amount. */
  currency: string;
  text: string;
  /** For how long somebody has been a subscriber; 0 if that isn't said. */
  months: number;
}

interface Placed {
  seq: number;
  /** Stream time in milliseconds; null off air. */
  at: number | null;
  /** The server's clock, in Unix milliseconds. */
  time: number;
}

export interface MessageEntry extends Placed {
  type: 'message';
  id: string;
  author: Author;
  text: string;
  deleted: boolean;
}

export interface ActionEntry extends Placed {
  type: 'action';
  by: Author;
  action: Action;
}

export interface EventEntry extends Placed {
  type: 'event';
  event: ChannelEvent;
}

/** An entry that has its place in the log, and nothing that this page knows how to show. */
export interface OtherEntry extends Placed {
  type: 'other';
}

export type Entry = MessageEntry | ActionEntry | EventEntry | OtherEntry;

export interface Rights {
  write: boolean;
  moderate: boolean;
  stream: boolean;
}

export interface Rules {
  slowS: number;
  followersOnlyS: number | null;
  links: boolean;
  maxLength: number;
  /** Told to moderators alone. */
  words: string[] | null;
}

export interface Broadcast {
  id: string;
  /** Stream time 0, in Unix milliseconds of the server's clock. */
  startedAt: number;
  /** Stream time when it was said. */
  now: number;
}

export interface Goal {
  title: string;
  currency: string;
  amount: number;
  raised: number;
}

export interface Welcome {
  type: 'welcome';
  author: Author;
  identity: string;
  rights: Rights;
  rules: Rules;
  reactions: string[];
  broadcast: Broadcast | null;
  last: number;
  pinned: MessageEntry | null;
  goal: Goal | null;
  following: boolean;
}

export interface Refusal {
  type: 'error';
  code: string;
  /** Of what was refused, if it had one. */
  id: string | null;
  text: string;
  retryAfterS: number | null;
}

export interface Caption {
  type: 'caption';
  language: string;
  from: number;
  to: number;
  text: string;
}

/** The stream time of the video frame with that RTP timestamp. */
export interface ClockPair {
  type: 'clock';
  rtp: number;
  at: number;
}

/** Taps since the last one. */
export interface ReactionCounts {
  type: 'reactions';
  counts: ReadonlyMap<string, number>;
  at: number | null;
}

/** What the server says. */
export type ServerItem =
  | Welcome
  | Entry
  | { type: 'skipped'; from: number; to: number }
  | { type: 'stored'; id: string; seq: number }
  | Refusal
  | ReactionCounts
  | ClockPair
  | { type: 'presence'; viewers: number; chatters: number }
  | { type: 'broadcast'; broadcast: Broadcast | null }
  | { type: 'rules'; rules: Rules }
  | { type: 'goal'; goal: Goal | null }
  | { type: 'pinned'; entry: MessageEntry | null }
  | Caption
  | { type: 'rights'; write: boolean; until: number | null; reason: string }
  | { type: 'renamed'; name: string };

/** How a player did since its last report. Whole numbers. */
export interface Report {
  player: 'webrtc' | 'hls';
  played_ms: number;
  stalled_ms: number;
  stalls: number;
  latency_ms?: number;
  height?: number;
  /** From the wish to watch to the first picture; in the first report of a viewing only. */
  startup_ms?: number;
}

/** What a client says. */
export type ClientItem =
  | {
      type: 'hello';
      name?: string;
      token?: string;
      identity?: string;
      after?: number;
      history?: number;
    }
  | { type: 'message'; id: string; text: string; at?: number }
  | { type: 'reaction'; emoji: string; count: number }
  | { type: 'moderate'; id: string; action: Action }
  | { type: 'follow'; on: boolean }
  | { type: 'rename'; name: string }
  | ({ type: 'report' } & Report);
