import { afterEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../shared/problem.ts';
import { askForPlaylist, playlistUrl } from './playlist.ts';

const URL = playlistUrl('http://node.example', 'demo');

function answer(status: number, headers: Record<string, string> = {}) {
  const fetched = vi.fn(() => Promise.resolve(new Response('', { status, headers })));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

const ask = (token = '') => askForPlaylist(URL, token, new AbortController().signal);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('askForPlaylist', () => {
  it('asks with the token where there is one', async () => {
    const fetched = answer(200);
    expect(await ask('secret')).toEqual({ isThere: true });
    expect(fetched).toHaveBeenCalledWith(
      'http://node.example/hls/demo/index.m3u8',
      expect.objectContaining({ headers: { Authorization: 'Bearer secret' } }),
    );
  });

  it('waits for a channel that is not live, and for a sidecar', async () => {
    answer(404, { 'Retry-After': '5' });
    expect(await ask()).toEqual({ isThere: false, inMs: 5_000 });
    answer(503, { 'Retry-After': '1' });
    expect(await ask()).toEqual({ isThere: false, inMs: 1_000 });
  });

  it('throws what waiting does not help against', async () => {
    for (const status of [401, 403, 404, 500]) {
      answer(status);
      await expect(ask()).rejects.toBeInstanceOf(ProblemError);
    }
  });
});
