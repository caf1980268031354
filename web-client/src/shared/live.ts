import { getJson } from './http.ts';

/** A channel that is on air, as `GET /api/v1/live` lists it. */
export interface LiveChannel {
  channel: string;
  title: string;
  tags: string[];
  viewers: number;
  /** When the broadcast began, in Unix milliseconds; null if unknown. */
  since: number | null;
}

export async function fetchLive(token = ''): Promise<LiveChannel[]> {
  return parseLive(await getJson('/api/v1/live', token));
}

/** Takes the entries it understands, and leaves out what has no channel name. */
export function parseLive(body: unknown): LiveChannel[] {
  const list = Array.isArray(body) ? (body as unknown[]) : [];
  return list.flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const fields = entry as Readonly<Record<string, unknown>>;
    const channel = fields.channel;
    if (typeof channel !== 'string' || channel === '') return [];
    const { title, tags, viewers, since } = fields;
    return [
      {
        channel,
        title: typeof title === 'string' ? title : '',
        tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
        viewers: typeof viewers === 'number' ? viewers : 0,
        since: parseTime(since),
      },
    ];
  });
}

/** RFC 3339 text, or Unix milliseconds. */
function parseTime(value: unknown): number | null {
  const time = typeof value === 'string' ? Date.parse(value) : value;
  return typeof time === 'number' && Number.isFinite(time) ? time : null;
}
