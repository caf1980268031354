import type {
  Action,
  ActionEntry,
  Author,
  Broadcast,
  ChannelEvent,
  Entry,
  Goal,
  MessageEntry,
  Role,
  Rules,
  ServerItem,
  Welcome,
} from './protocol.ts';

/** A frame of the server has 32 KiB at most; what is far longer isn't read. In UTF-16 units. */
const MAX_FRAME = 128 * 1024;
const MAX_ITEMS = 2_000;
/** The longest texts that are taken over. */
const MAX_TEXT = 2_000;
const MAX_NAME = 64;
const MAX_SECRET = 4_096;
const MAX_REACTIONS = 24;
const MAX_WORDS = 500;

type Fields = Readonly<Record<string, unknown>>;

/** Takes the entries out of a part of the log, and leaves out what is none. */
export function parseEntries(items: unknown): Entry[] {
  const given: unknown[] = Array.isArray(items) ? items : [];
  return given.slice(0, MAX_ITEMS).flatMap((item) => entry(fieldsOf(item)) ?? []);
}

/** Takes what it understands out of a frame, and leaves out the rest. */
export function parseFrame(frame: string): ServerItem[] {
  if (frame.length > MAX_FRAME) return [];
  let items: unknown;
  try {
    items = JSON.parse(frame);
  } catch {
    return [];
  }
  if (!Array.isArray(items)) return [];
  return items.slice(0, MAX_ITEMS).flatMap((item) => parseItem(fieldsOf(item)) ?? []);
}

function parseItem(item: Fields): ServerItem | null {
  switch (item.type) {
    case 'welcome':
      return welcome(item);
    case 'skipped': {
      const { from, to } = { from: whole(item.from), to: whole(item.to) };
      return from === null || to === null || to < from ? null : { type: 'skipped', from, to };
    }
    case 'stored': {
      const seq = whole(item.seq);
      return seq === null ? null : { type: 'stored', id: text(item.id, MAX_NAME), seq };
    }
    case 'error':
      return {
        type: 'error',
        code: text(item.code, MAX_NAME),
        id: typeof item.id === 'string' ? text(item.id, MAX_NAME) : null,
        text: text(item.text, MAX_TEXT),
        retryAfterS: whole(item.retry_after_s),
      };
    case 'renamed': {
      const name = text(item.name, MAX_NAME);
      return name === '' ? null : { type: 'renamed', name };
    }
    case 'rights':
      return {
        type: 'rights',
        write: item.write === true,
        until: whole(item.until),
        reason: text(item.reason, MAX_TEXT),
      };
    default:
      return parseNews(item) ?? entry(item);
  }
}

/** What goes on in the room beside the log. */
function parseNews(item: Fields): ServerItem | null {
  switch (item.type) {
    case 'reactions':
      return { type: 'reactions', counts: counts(item.counts), at: whole(item.at) };
    case 'clock': {
      const { rtp, at } = { rtp: whole(item.rtp), at: whole(item.at) };
      return rtp === null || at === null ? null : { type: 'clock', rtp: rtp >>> 0, at };
    }
    case 'presence':
      return {
        type: 'presence',
        viewers: whole(item.viewers) ?? 0,
        chatters: whole(item.chatters) ?? 0,
      };
    case 'broadcast':
      return { type: 'broadcast', broadcast: broadcast(item.broadcast) };
    case 'rules':
      // Its members stand beside the type.
      return { type: 'rules', rules: rules(item) };
    case 'goal':
      return { type: 'goal', goal: goal(item.goal) };
    case 'pinned':
      return { type: 'pinned', entry: pinned(item.entry) };
    case 'caption': {
      const { from, to } = { from: whole(item.from), to: whole(item.to) };
      if (from === null || to === null) return null;
      const language = text(item.language, MAX_NAME);
      return { type: 'caption', language, from, to, text: text(item.text, MAX_TEXT) };
    }
    default:
      return null;
  }
}

/** An entry keeps its place even if nothing of it can be shown. */
function entry(item: Fields): Entry | null {
  const { seq, time } = { seq: whole(item.seq), time: whole(item.time) };
  if (seq === null || time === null || seq < 1) return null;
  const placed = { seq, time, at: whole(item.at) };
  return (
    message(item, placed) ??
    action(item, placed) ??
    event(item, placed) ?? { type: 'other', ...placed }
  );
}

/** Only messages are pinned. */
function pinned(value: unknown): MessageEntry | null {
  const found = entry(fieldsOf(value));
  return found?.type === 'message' && !found.deleted ? found : null;
}

type Placed = Pick<Entry, 'seq' | 'time' | 'at'>;

function message(item: Fields, placed: Placed): MessageEntry | null {
  const from = author(item.author);
  if (item.type !== 'message' || from === null) return null;
  const deleted = item.deleted === true;
  return {
    type: 'message',
    ...placed,
    id: text(item.id, MAX_NAME),
    author: from,
    text: deleted ? '' : text(item.text, MAX_TEXT),
    deleted,
  };
}

function action(item: Fields, placed: Placed): ActionEntry | null {
  const [by, what] = [author(item.by), actionOf(fieldsOf(item.action))];
  if (item.type !== 'action' || by === null || what === null) return null;
  return { type: 'action', ...placed, by, action: what };
}

function event(item: Fields, placed: Placed): Entry | null {
  const { kind, name, amount, currency, months, text: said } = fieldsOf(item.event);
  if (item.type !== 'event' || !isEventKind(kind)) return null;
  const code = text(currency, 3);
  return {
    type: 'event',
    ...placed,
    event: {
      kind,
      name: text(name, MAX_NAME),
      amount: whole(amount) ?? 0,
      currency: /^[A-Z]{3}$/.test(code) ? code : '',
      text: text(said, MAX_TEXT),
      months: whole(months) ?? 0,
    },
  };
}

function isEventKind(kind: unknown): kind is ChannelEvent['kind'] {
  return kind === 'donation' || kind === 'subscription';
}

function actionOf(fields: Fields): Action | null {
  const { seq, seconds } = { seq: whole(fields.seq), seconds: whole(fields.seconds) };
  const whom = text(fields.author, MAX_NAME);
  const reason = text(fields.reason, MAX_TEXT);
  switch (fields.kind) {
    case 'delete':
      return seq === null ? null : { kind: 'delete', seq };
    case 'timeout':
      return { kind: 'timeout', author: whom, seconds: seconds ?? 0, reason };
    case 'ban':
      return { kind: 'ban', author: whom, reason };
    case 'unban':
      return { kind: 'unban', author: whom };
    case 'pin':
      return { kind: 'pin', seq };
    case 'rules':
      return { kind: 'rules' };
    case 'goal':
      return {
        kind: 'goal',
        currency: text(fields.currency, 3),
        amount: whole(fields.amount) ?? 0,
        title: text(fields.title, MAX_TEXT),
      };
    default:
      return null;
  }
}

function welcome(item: Fields): Welcome | null {
  const self = author(item.author);
  const { write, moderate, stream } = fieldsOf(item.rights);
  if (self === null) return null;
  const reactions: unknown[] = Array.isArray(item.reactions) ? item.reactions : [];
  return {
    type: 'welcome',
    author: self,
    identity: text(item.identity, MAX_SECRET),
    rights: { write: write === true, moderate: moderate === true, stream: stream === true },
    rules: rules(fieldsOf(item.rules)),
    reactions: reactions
      .map((each) => text(each, 32))
      .filter(Boolean)
      .slice(0, MAX_REACTIONS),
    broadcast: broadcast(item.broadcast),
    last: whole(item.last) ?? 0,
    pinned: pinned(item.pinned),
    goal: goal(item.goal),
    following: item.following === true,
  };
}

function author(value: unknown): Author | null {
  const { id, name, role } = fieldsOf(value);
  if (typeof id !== 'string' || id === '') return null;
  const known: Role = role === 'moderator' || role === 'streamer' ? role : 'viewer';
  return { id: text(id, MAX_NAME), name: text(name, MAX_NAME) || 'Somebody', role: known };
}

function rules(fields: Fields): Rules {
  const words: unknown[] | null = Array.isArray(fields.words) ? fields.words : null;
  return {
    slowS: whole(fields.slow_s) ?? 0,
    followersOnlyS: whole(fields.followers_only_s),
    links: fields.links !== false,
    maxLength: whole(fields.max_length) ?? 500,
    words: words?.slice(0, MAX_WORDS).map((word) => text(word, MAX_NAME)) ?? null,
  };
}

function broadcast(value: unknown): Broadcast | null {
  const { id, started_at: started, now } = fieldsOf(value);
  const startedAt = whole(started);
  if (typeof id !== 'string' || startedAt === null) return null;
  return { id: text(id, MAX_NAME), startedAt, now: whole(now) ?? 0 };
}

function goal(value: unknown): Goal | null {
  const { title, currency, amount, raised } = fieldsOf(value);
  const [wanted, code] = [whole(amount) ?? 0, text(currency, 3)];
  if (wanted === 0 || code === '') return null;
  return {
    title: text(title, MAX_TEXT),
    currency: code,
    amount: wanted,
    raised: whole(raised) ?? 0,
  };
}

function counts(value: unknown): Map<string, number> {
  const found = Object.entries(fieldsOf(value)).slice(0, MAX_REACTIONS);
  return new Map(found.map(([emoji, count]) => [text(emoji, 32), whole(count) ?? 0]));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** A whole number that isn't negative. */
function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function text(value: unknown, most: number): string {
  return typeof value === 'string' ? value.slice(0, most) : '';
}
