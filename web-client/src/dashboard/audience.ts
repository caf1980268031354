import { asFields, asList, count, countOrNull, text, time, type Fields } from './fields.ts';

/** How values are spread; percentiles are null where nothing was counted. */
export interface Spread {
  count: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** What players told of their viewing. */
export interface Figures {
  watchedS: number;
  stalledS: number;
  stalls: number;
  joins: number;
  latencyMs: Spread;
}

export interface Totals extends Figures {
  startupMs: Spread;
}

/** Of a step of the broadcast, which begins `at` minutes after its start. */
export interface Point extends Figures {
  at: number;
  viewers: number;
  sessionsMost: number;
}

/** Of all who have something in common: player, device, country. */
export interface Group extends Totals {
  name: string;
}

export interface HeightShare {
  height: number;
  watchedS: number;
}

/** A broadcast's audience as the node tells of it. */
export interface Audience {
  broadcast: string;
  channel: string;
  /** Unix milliseconds. */
  startedAt: number;
  /** Null while it's on air. */
  endedAt: number | null;
  /** Of a point, in minutes. */
  step: number;
  total: Totals & { viewersMost: number; sessionsMost: number };
  /** By time; steps without anything are left out. */
  points: Point[];
  players: Group[];
  devices: Group[];
  countries: Group[];
  heights: HeightShare[];
  raised: Raised[];
}

/** What donations in one currency make, in minor units. */
export interface Raised {
  currency: string;
  amount: number;
}

/** Null for what is no audience. */
export function parseAudience(body: unknown): Audience | null {
  const fields = asFields(body);
  const startedAt = time(fields.started_at);
  const step = count(fields.step);
  if (startedAt === null || step < 1) return null;
  const total = asFields(fields.total);
  return {
    broadcast: text(fields.broadcast),
    channel: text(fields.channel),
    startedAt,
    endedAt: time(fields.ended_at),
    step,
    total: {
      ...totalsOf(total),
      viewersMost: count(total.viewers_most),
      sessionsMost: count(total.sessions_most),
    },
    points: asList(fields.points).flatMap((point) => pointOf(asFields(point))),
    players: groupsOf(fields.players),
    devices: groupsOf(fields.devices),
    countries: groupsOf(fields.countries),
    heights: asList(fields.heights)
      .map(asFields)
      .map((height) => ({ height: count(height.height), watchedS: count(height.watched_s) })),
    raised: Object.entries(asFields(fields.raised)).map(([currency, amount]) => ({
      currency,
      amount: count(amount),
    })),
  };
}

/** How much of the time the picture stood that should have moved; null where nobody watched. */
export function stalledShare({ watchedS, stalledS }: Figures): number | null {
  const all = watchedS + stalledS;
  return all > 0 ? stalledS / all : null;
}

function figuresOf(fields: Fields): Figures {
  return {
    watchedS: count(fields.watched_s),
    stalledS: count(fields.stalled_s),
    stalls: count(fields.stalls),
    joins: count(fields.joins),
    latencyMs: spreadOf(fields.latency_ms),
  };
}

function totalsOf(fields: Fields): Totals {
  return { ...figuresOf(fields), startupMs: spreadOf(fields.startup_ms) };
}

function spreadOf(value: unknown): Spread {
  const fields = asFields(value);
  return {
    count: count(fields.count),
    p50: countOrNull(fields.p50),
    p95: countOrNull(fields.p95),
    p99: countOrNull(fields.p99),
  };
}

function pointOf(fields: Fields): Point[] {
  const at = countOrNull(fields.at);
  if (at === null) return [];
  const viewers = count(fields.viewers);
  return [{ ...figuresOf(fields), at, viewers, sessionsMost: count(fields.sessions_most) }];
}

function groupsOf(value: unknown): Group[] {
  return asList(value)
    .map(asFields)
    .map((fields) => ({ ...totalsOf(fields), name: text(fields.name) }));
}
