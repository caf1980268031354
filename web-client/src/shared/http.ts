import { extensionsFromLink, iceServersFromLink, type Extensions, webUrl } from './links.ts';
import { ProblemError, readProblem } from './problem.ts';

/** How long a WHIP or WHEP request may take. */
const TIMEOUT_MS = 10_000;

/** A WHIP or WHEP session as HTTP sees it: the same resource for both (RFC 9725 §4.2). */
export interface SessionResource {
  url: string;
  answer: string;
  iceServers: RTCIceServer[];
  extensions: Extensions;
}

/** Creates a session: `POST` of an offer. */
export async function postOffer(
  endpoint: string,
  offer: string,
  token: string,
  signal: AbortSignal,
): Promise<SessionResource> {
  const response = await request(endpoint, token, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: offer,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const location = response.headers.get('Location');
  if (location === null) {
    throw new Error('The answer names no session: its Location header is missing.');
  }
  // Relative addresses resolve against the one that answered, which differs after a 307.
  const base = response.url || endpoint;
  const links = response.headers.get('Link');
  return {
    url: new URL(location, base).href,
    answer: await response.text(),
    iceServers: iceServersFromLink(links),
    extensions: extensionsFromLink(links, base),
  };
}

/** Makes an event stream of a viewer's session for these events, and gives its address. */
export async function postEvents(url: string, names: readonly string[]): Promise<string> {
  const response = await postJson(url, names);
  const location = response.headers.get('Location');
  const stream = location === null ? null : webUrl(location, response.url || url);
  if (stream === null) throw new Error('The answer names no event stream.');
  return stream;
}

/** Posts JSON to an address that needs no token: whoever knows it may. */
export function postJson(url: string, body: unknown): Promise<Response> {
  return postWithToken(url, '', body);
}

/** Posts JSON with a token. */
export function postWithToken(url: string, token: string, body: unknown): Promise<Response> {
  return request(url, token, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** Restarts ICE: `PATCH` with new credentials; gives the server's own (RFC 9725 §4.3.3). */
export async function patchIceRestart(
  url: string,
  fragment: string,
  token: string,
): Promise<string> {
  const response = await request(url, token, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
    body: fragment,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return response.text();
}

/** Ends a session. Outlives the page (`keepalive`), and nobody waits for it. */
export function deleteSession(url: string, token: string): void {
  request(url, token, { method: 'DELETE', keepalive: true }).catch(() => {
    // The session ends by consent expiry if this request is lost.
  });
}

/** Gets JSON; the caller checks its shape. */
export async function getJson(url: string, token = ''): Promise<unknown> {
  const response = await request(url, token, {
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return response.json();
}

/** Gets a text, such as a WebVTT file. */
export async function getText(url: string, token = ''): Promise<string> {
  const response = await request(url, token, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return response.text();
}

async function request(url: string, token: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== '') headers.set('Authorization', `Bearer ${token}`);
  const response = await fetch(url, { ...init, headers });
  if (!response.ok) throw new ProblemError(await readProblem(response));
  return response;
}
