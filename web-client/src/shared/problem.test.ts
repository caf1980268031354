import { describe, expect, it } from 'vitest';
import { isTransient, parseRetryAfter, ProblemError, readProblem, toProblem } from './problem.ts';

function refusal(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
}

describe('readProblem', () => {
  it('takes the server’s words', async () => {
    const body = JSON.stringify({ title: 'Forbidden', detail: 'The token expired.' });
    expect(await readProblem(refusal(403, body))).toEqual({
      status: 403,
      title: 'Forbidden',
      detail: 'The token expired.',
      retryAfterMs: null,
    });
  });

  it('gives a title when the body is no problem document', async () => {
    for (const body of ['', '[1]', 'null', '{"title":7}', '{"ti']) {
      const problem = await readProblem(refusal(503, body));
      expect(problem.title).toBe('The server is at capacity');
    }
    const page = new Response('<h1>Bad gateway</h1>', { status: 502 });
    expect((await readProblem(page)).title).toBe('HTTP 502');
  });

  it('bounds the text it takes over', async () => {
    const body = JSON.stringify({ detail: 'x'.repeat(100_000) });
    expect((await readProblem(refusal(400, body))).detail).toHaveLength(500);
  });

  it('knows when LL-HLS is offered instead', async () => {
    const full = async (link: string) => {
      const headers = { Link: link };
      return (await readProblem(new Response(null, { status: 503, headers }))).offersHls;
    };
    const hls = '</hls/demo/index.m3u8>; rel="alternate"; type="application/vnd.apple.mpegurl"';
    expect(await full(hls)).toBe(true);
    expect(await full(`<stun:a.b:1>; rel="ice-server", ${hls}`)).toBe(true);
    expect(await full('<stun:a.b:1>; rel="ice-server"')).toBeUndefined();
    expect(await full(hls.replace('alternate', 'next'))).toBeUndefined();
    expect((await readProblem(new Response(null, { status: 503 }))).offersHls).toBeUndefined();
  });

  it('reads Retry-After as seconds or as a date', () => {
    const now = Date.parse('2030-01-01T00:00:00Z');
    expect(parseRetryAfter('7', now)).toBe(7000);
    expect(parseRetryAfter('Tue, 01 Jan 2030 00:00:09 GMT', now)).toBe(9000);
    expect(parseRetryAfter('Tue, 01 Jan 2019 00:00:09 GMT', now)).toBe(0);
    expect(parseRetryAfter('soon', now)).toBeNull();
    expect(parseRetryAfter(null, now)).toBeNull();
  });
});

describe('isTransient', () => {
  const problem = (status: number, retryAfterMs: number | null = null) => ({
    status,
    title: '',
    detail: '',
    retryAfterMs,
  });

  it('tells refusals that pass by themselves from those that do not', () => {
    for (const status of [0, 408, 425, 429, 500, 502, 503, 504]) {
      expect(isTransient(problem(status)), String(status)).toBe(true);
    }
    for (const status of [400, 401, 403, 404, 409, 415, 422]) {
      expect(isTransient(problem(status)), String(status)).toBe(false);
    }
  });

  it('believes a Retry-After whatever the status', () => {
    expect(isTransient(problem(409, 5000))).toBe(true);
  });
});

describe('toProblem', () => {
  it('calls failed and timed-out requests a missing connection', () => {
    expect(toProblem(new TypeError('Failed to fetch')).status).toBe(0);
    expect(toProblem(new DOMException('late', 'TimeoutError')).status).toBe(0);
  });

  it('keeps the problem of a refusal', () => {
    const problem = { status: 422, title: 't', detail: 'd', retryAfterMs: null };
    expect(toProblem(new ProblemError(problem))).toBe(problem);
  });

  it('does not retry what this browser cannot do', () => {
    expect(isTransient(toProblem(new Error('no such codec')))).toBe(false);
  });
});
