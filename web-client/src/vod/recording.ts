import { getJson } from '../shared/http.ts';
import { webUrl } from '../shared/links.ts';

/** Being made, being finished after the end, whole, or given up. */
export type RecordingState = 'recording' | 'finishing' | 'ready' | 'failed';

/** What there is of a broadcast to watch afterwards. Addresses are null for what isn't there, or not yet. */
export interface Recording {
  broadcast: string;
  channel: string;
  title: string;
  state: RecordingState;
  /** Unix milliseconds, or null if unknown. */
  startedAt: number | null;
  endedAt: number | null;
  durationMs: number;
  bytes: number;
  /** What goes wrong, in words; empty if nothing does. */
  problem: string;
  playlist: string | null;
  video: string | null;
  poster: string | null;
  storyboard: string | null;
  chapters: string | null;
}

const STATES: readonly string[] = ['recording', 'finishing', 'ready', 'failed'];

/** Gets one broadcast's recording. */
export async function fetchRecording(broadcast: string, token: string): Promise<Recording> {
  const body = await getJson(`/api/v1/recordings/${encodeURIComponent(broadcast)}`, token);
  const recording = parseRecording(body, location.origin);
  if (recording === null) throw new Error('The server’s answer is no recording.');
  return recording;
}

/** Gets a channel's recordings, the latest first: one page of them. */
export async function fetchRecordings(
  channel: string,
  token: string,
  limit: number,
): Promise<Recording[]> {
  const path = `/api/v1/channels/${encodeURIComponent(channel)}/recordings?limit=${limit}`;
  const { items } = asFields(await getJson(path, token));
  const entries: unknown[] = Array.isArray(items) ? items : [];
  return entries.flatMap((entry) => parseRecording(entry, location.origin) ?? []);
}

/** Takes what it understands; null for what has neither broadcast nor state. */
export function parseRecording(body: unknown, base: string): Recording | null {
  const fields = asFields(body);
  const { broadcast, state } = fields;
  if (typeof broadcast !== 'string' || broadcast === '') return null;
  if (typeof state !== 'string' || !STATES.includes(state)) return null;
  const address = (value: unknown): string | null =>
    typeof value === 'string' && value !== '' ? webUrl(value, base) : null;
  return {
    broadcast,
    channel: text(fields.channel),
    title: text(fields.title),
    state: state as RecordingState,
    startedAt: time(fields.started_at),
    endedAt: time(fields.ended_at),
    durationMs: count(fields.duration_ms),
    bytes: count(fields.bytes),
    problem: text(fields.problem),
    playlist: address(fields.playlist),
    video: address(fields.video),
    poster: address(fields.poster),
    storyboard: address(fields.storyboard),
    chapters: address(fields.chapters),
  };
}

/** The same address for what can't be sent with a header: pictures, downloads, captions. */
export function withToken(url: string, token: string): string {
  if (token === '') return url;
  const address = new URL(url);
  address.searchParams.set('token', token);
  return address.href;
}

/** The page that plays it. The token goes in the fragment, which no server sees. */
export function vodPage(broadcast: string, token: string): string {
  const fragment = token === '' ? '' : `#${new URLSearchParams({ token }).toString()}`;
  return `/vod/${encodeURIComponent(broadcast)}${fragment}`;
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}

/** RFC 3339, or Unix milliseconds as elsewhere in the API. */
function time(value: unknown): number | null {
  const milliseconds = typeof value === 'number' ? value : Date.parse(text(value));
  return Number.isFinite(milliseconds) ? milliseconds : null;
}
