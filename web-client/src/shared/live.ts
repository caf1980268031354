import { getJson } from './http.ts';

/** A channel that is on air. */
export interface LiveChannel {
  name: string;
  title: string;
  tags: string[];
  viewers: number;
  /** When the broadcast began, in Unix milliseconds; null if unknown. */
  since: number | null;
}

/** The most watched channels on air. */
export interface LiveList {
  channels: LiveChannel[];
  /** Whether these are all of them: the list has pages, and leaves restricted channels out. */
  complete: boolean;
}

/** Gets the first page of `GET /api/v1/live`, as long as the node allows it to be. */
export async function fetchLive(): Promise<LiveList> {
  return parseLive(await getJson('/api/v1/live?limit=200'));
}

/** Takes the entries it understands, and leaves out what has no name. */
export function parseLive(body: unknown): LiveList {
  const { items, next } = asFields(body);
  const entries: unknown[] = Array.isArray(items) ? items : [];
  return {
    channels: entries.flatMap((entry) => parseChannel(asFields(entry))),
    complete: typeof next !== 'string',
  };
}

function parseChannel(fields: Readonly<Record<string, unknown>>): LiveChannel[] {
  const { name, title, tags, viewers, since } = fields;
  if (typeof name !== 'string' || name === '') return [];
  return [
    {
      name,
      title: typeof title === 'string' ? title : '',
      tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
      viewers: typeof viewers === 'number' ? viewers : 0,
      since: typeof since === 'number' ? since : null,
    },
  ];
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
