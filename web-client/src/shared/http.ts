import { iceServersFromLink } from './ice-servers.ts';
import { ProblemError, readProblem } from './problem.ts';

/** How long a WHIP or WHEP request may take. */
const TIMEOUT_MS = 10_000;

/** A WHIP or WHEP session as HTTP sees it: the same resource for both (RFC 9725 §4.2). */
export interface SessionResource {
  url: string;
  answer: string;
  iceServers: RTCIceServer[];
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
  return {
    // A relative Location resolves against the address that answered, which differs after a 307.
    url: new URL(location, response.url || endpoint).href,
    answer: await response.text(),
    iceServers: iceServersFromLink(response.headers.get('Link')),
  };
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

async function request(url: string, token: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== '') headers.set('Authorization', `Bearer ${token}`);
  const response = await fetch(url, { ...init, headers });
  if (!response.ok) throw new ProblemError(await readProblem(response));
  return response;
}
