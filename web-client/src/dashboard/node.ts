import { asFields, asList, count, countOrNull, text, time, type Fields } from './fields.ts';

/** A node: its load and its bounds. */
export interface NodeFacts {
  version: string;
  /** Unix milliseconds. */
  since: number | null;
  draining: boolean;
  workers: number;
  liveChannels: number;
  publishers: number;
  viewers: number;
  maxViewers: number;
}

export interface Sidecar {
  id: string;
  channels: number;
}

/** One time on air. */
export interface Broadcast {
  id: string;
  channel: string;
  title: string;
  startedAt: number;
  /** Null while it's on air. */
  endedAt: number | null;
  peakViewers: number;
}

export interface BroadcastPage {
  broadcasts: Broadcast[];
  next: string | null;
}

/** What is known of a channel beside its broadcasts. */
export interface ChannelFacts {
  title: string;
  restricted: boolean;
  /** Whether its publisher is there. */
  isLive: boolean;
  /** Over WebRTC, now. */
  viewers: number;
}

/** What a publisher sends; null or empty where that isn't known. */
export interface Source {
  session: string;
  videoCodec: string;
  audioCodec: string;
  width: number | null;
  height: number | null;
  bitrate: number | null;
  roundTripMs: number | null;
}

export interface SessionPage {
  /** The publisher's, if it's among them. */
  source: Source | null;
  next: string | null;
}

export function parseNode(body: unknown): NodeFacts {
  const fields = asFields(body);
  return {
    version: text(fields.version),
    since: time(fields.since),
    draining: fields.draining === true,
    workers: count(fields.workers),
    liveChannels: count(fields.live_channels),
    publishers: count(fields.publishers),
    viewers: count(fields.viewers),
    maxViewers: count(fields.max_viewers),
  };
}

export function parseSidecars(body: unknown): Sidecar[] {
  return asList(body)
    .map(asFields)
    .map((fields) => ({ id: text(fields.id), channels: asList(fields.channels).length }));
}

/** Takes the entries it understands. */
export function parseBroadcasts(body: unknown): BroadcastPage {
  const { items, next } = asFields(body);
  return {
    broadcasts: asList(items).flatMap((item) => parseBroadcast(item) ?? []),
    next: typeof next === 'string' ? next : null,
  };
}

export function parseBroadcast(body: unknown): Broadcast | null {
  const fields = asFields(body);
  const { id, channel } = fields;
  const startedAt = time(fields.started_at);
  if (typeof id !== 'string' || typeof channel !== 'string' || startedAt === null) return null;
  return {
    id,
    channel,
    title: text(fields.title),
    startedAt,
    endedAt: time(fields.ended_at),
    peakViewers: count(fields.peak_viewers),
  };
}

export function parseChannel(body: unknown): ChannelFacts {
  const fields = asFields(body);
  return {
    title: text(fields.title),
    restricted: asFields(fields.settings).restricted_viewing === true,
    isLive: time(fields.live_since) !== null,
    viewers: count(fields.viewers),
  };
}

export function parseSessions(body: unknown): SessionPage {
  const { items, next } = asFields(body);
  const sources = asList(items).flatMap((item) => parseSource(item) ?? []);
  return { source: sources.at(0) ?? null, next: typeof next === 'string' ? next : null };
}

/** Null for what is no publisher's session. */
export function parseSource(body: unknown): Source | null {
  const fields: Fields = asFields(body);
  const { id, role } = fields;
  if (typeof id !== 'string' || role !== 'publisher') return null;
  const figures = asFields(fields.figures);
  return {
    session: id,
    videoCodec: text(figures.video_codec),
    audioCodec: text(figures.audio_codec),
    width: countOrNull(figures.width),
    height: countOrNull(figures.height),
    bitrate: countOrNull(figures.bits_per_second),
    roundTripMs: countOrNull(figures.round_trip_ms),
  };
}
