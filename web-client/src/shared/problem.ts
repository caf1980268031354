/** What went wrong with a request, in the words of the server where it gave any (RFC 9457). */
export interface Problem {
  /** HTTP status, or 0 when no answer came at all. */
  status: number;
  title: string;
  detail: string;
  /** How long the server asked us to wait, in milliseconds. */
  retryAfterMs: number | null;
  /** The server has no room for the request, but the same as LL-HLS. */
  offersHls?: boolean;
}

/** A request that the server refused, or that never reached it. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ProblemError';
  }
}

/** Statuses that pass by themselves: time-out, too early, too many requests, and every 5xx. */
const TRANSIENT = new Set([0, 408, 425, 429]);

/** Whether the same request may succeed later without anybody doing anything about it. */
export function isTransient(problem: Problem): boolean {
  return TRANSIENT.has(problem.status) || problem.status >= 500 || problem.retryAfterMs !== null;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'The server did not understand the request',
  401: 'A token is needed',
  403: 'The token is not valid here',
  404: 'Not found',
  409: 'Not possible right now',
  422: 'The media cannot be served',
  429: 'Too many requests',
  503: 'The server is at capacity',
};

/** Longest text taken over from a server's answer. */
const MAX_TEXT = 500;

/** Reads a refusal; a body that is no problem document still gives a usable title. */
export async function readProblem(response: Response, now = Date.now()): Promise<Problem> {
  const body = await problemBody(response);
  return {
    status: response.status,
    title: text(body.title) || (TITLES[response.status] ?? `HTTP ${response.status}`),
    detail: text(body.detail),
    retryAfterMs: parseRetryAfter(response.headers.get('Retry-After'), now),
    ...(offersHls(response.headers.get('Link')) && { offersHls: true }),
  };
}

/** Whether a `Link` header names a playlist instead of what was asked for (RFC 8288). */
function offersHls(header: string | null): boolean {
  const links = (header ?? '').split(/,(?=\s*<)/);
  return links.some(
    (link) =>
      /;\s*rel="?alternate"?/i.test(link) &&
      /;\s*type="?application\/vnd\.apple\.mpegurl/i.test(link),
  );
}

async function problemBody(response: Response): Promise<Record<string, unknown>> {
  if (!/\bjson\b/.test(response.headers.get('Content-Type') ?? '')) return {};
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : '';
}

/** Retry-After is either seconds or a date (RFC 9110 §10.2.3). */
export function parseRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Any thrown value as a problem, so that every failure has one form. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (
    error instanceof TypeError ||
    isNamed(error, 'TimeoutError') ||
    isNamed(error, 'AbortError')
  ) {
    return networkProblem('The server could not be reached.');
  }
  return {
    status: 400,
    title: 'This browser could not set up the session',
    detail: error instanceof Error ? error.message : String(error),
    retryAfterMs: null,
  };
}

export function networkProblem(detail: string): Problem {
  return { status: 0, title: 'No connection', detail, retryAfterMs: null };
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
