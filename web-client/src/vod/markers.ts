import { postWithToken } from '../shared/http.ts';

/** Longest title of a marker, in characters. */
const MAX_TITLE = 100;

/** Marks a moment of the broadcast that is on air: it becomes a chapter. `at` is the node's time; null: now. */
export async function postMarker(
  channel: string,
  token: string,
  title: string,
  at: Date | null,
): Promise<void> {
  const path = `/api/v1/channels/${encodeURIComponent(channel)}/markers`;
  const marker = { title: title.slice(0, MAX_TITLE), ...(at !== null && { at: at.toISOString() }) };
  await postWithToken(path, token, marker);
}

/**
 * What the node's clock says now, to the second: the streamer's computer may be minutes off. Null if it doesn't say.
 * RFC 9110 §6.6.1
 */
export async function nodeTime(): Promise<Date | null> {
  const response = await fetch('/healthz', { method: 'HEAD', cache: 'no-store' }).catch(() => null);
  const milliseconds = Date.parse(response?.headers.get('Date') ?? '');
  return Number.isNaN(milliseconds) ? null : new Date(milliseconds);
}
