import { ProblemError, readProblem } from '../shared/problem.ts';

/** How long an answer may take. */
const TIMEOUT_MS = 10_000;
/** The pause where the node names none. */
const DEFAULT_PAUSE_MS = 5_000;

/** Where a channel's LL-HLS begins. */
export function playlistUrl(origin: string, channel: string): string {
  return `${origin}/hls/${channel}/index.m3u8`;
}

/** Whether there is something to play; if not, when to ask again, in milliseconds. */
export type Availability = { isThere: true } | { isThere: false; inMs: number };

/**
 * Asks for the playlist. A channel that isn't live is a 404 that names a time to ask again, one that no sidecar serves yet a
 * 503. Other refusals are thrown.
 */
export async function askForPlaylist(
  url: string,
  token: string,
  signal: AbortSignal,
): Promise<Availability> {
  const headers: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(url, {
    headers,
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (response.ok) {
    await response.body?.cancel();
    return { isThere: true };
  }
  const problem = await readProblem(response);
  const { status, retryAfterMs } = problem;
  const isAwaited = status === 503 || (status === 404 && retryAfterMs !== null);
  if (!isAwaited) throw new ProblemError(problem);
  return { isThere: false, inMs: retryAfterMs ?? DEFAULT_PAUSE_MS };
}
