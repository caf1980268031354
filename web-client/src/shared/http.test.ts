import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deleteSession, patchIceRestart, postOffer } from './http.ts';
import { ProblemError } from './problem.ts';

const fetched = vi.fn<typeof fetch>();
const never = new AbortController().signal;

/** A response from an address, which the constructor alone can't make. */
function answerFrom(url: string, body: string, init: ResponseInit): Response {
  return Object.defineProperty(new Response(body, init), 'url', { value: url });
}

function sent(): { url: string; init: RequestInit; headers: Headers } {
  const [url, init] = fetched.mock.calls[0] ?? [];
  return { url: url as string, init: init ?? {}, headers: new Headers(init?.headers) };
}

beforeEach(() => {
  vi.stubGlobal('fetch', fetched);
});

afterEach(() => {
  vi.unstubAllGlobals();
  fetched.mockReset();
});

describe('postOffer', () => {
  const created = { status: 201, headers: { Location: '/whep/demo/abc' } };

  it('sends the offer with the token and finds the session', async () => {
    fetched.mockResolvedValue(answerFrom('https://a.example/whep/demo', 'answer', created));
    const resource = await postOffer('https://a.example/whep/demo', 'offer', 'secret', never);
    expect(resource).toEqual({
      url: 'https://a.example/whep/demo/abc',
      answer: 'answer',
      iceServers: [],
      extensions: { events: null, layer: null },
    });
    expect(sent().init).toMatchObject({ method: 'POST', body: 'offer' });
    expect(sent().headers.get('Content-Type')).toBe('application/sdp');
    expect(sent().headers.get('Authorization')).toBe('Bearer secret');
  });

  it('sends no credentials when there are none', async () => {
    fetched.mockResolvedValue(answerFrom('https://a.example/whep/demo', 'answer', created));
    await postOffer('https://a.example/whep/demo', 'offer', '', never);
    expect(sent().headers.has('Authorization')).toBe(false);
  });

  it('finds the session on the node that a redirect led to', async () => {
    fetched.mockResolvedValue(answerFrom('https://b.example/whep/demo', 'answer', created));
    const resource = await postOffer('https://a.example/whep/demo', 'offer', '', never);
    expect(resource.url).toBe('https://b.example/whep/demo/abc');
  });

  it('refuses an answer that names no session', async () => {
    fetched.mockResolvedValue(answerFrom('https://a.example/', 'answer', { status: 201 }));
    await expect(postOffer('https://a.example/', 'offer', '', never)).rejects.toThrow(/Location/);
  });

  it('throws a refusal as its problem', async () => {
    fetched.mockResolvedValue(new Response('', { status: 422 }));
    const refused = postOffer('https://a.example/', 'offer', '', never);
    await expect(refused).rejects.toBeInstanceOf(ProblemError);
  });
});

describe('a session', () => {
  it('restarts ICE whatever its entity tag', async () => {
    fetched.mockResolvedValue(new Response('a=ice-ufrag:x\r\n', { status: 200 }));
    expect(await patchIceRestart('https://a.example/s', 'fragment', 't')).toBe('a=ice-ufrag:x\r\n');
    expect(sent().init.method).toBe('PATCH');
    expect(sent().headers.get('If-Match')).toBe('*');
    expect(sent().headers.get('Content-Type')).toBe('application/trickle-ice-sdpfrag');
  });

  it('is deleted even as the page goes away, and nobody minds if that fails', async () => {
    fetched.mockRejectedValue(new TypeError('offline'));
    deleteSession('https://a.example/s', 't');
    await Promise.resolve();
    expect(sent().init).toMatchObject({ method: 'DELETE', keepalive: true });
  });
});
