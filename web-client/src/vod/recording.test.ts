import { describe, expect, it } from 'vitest';
import { parseRecording, vodPage, withToken } from './recording.ts';

const BASE = 'https://node.example';
const READY = {
  broadcast: 'b1',
  channel: 'demo',
  title: 'A talk',
  state: 'ready',
  started_at: '2026-01-01T10:00:00.000Z',
  ended_at: '2026-01-01T10:01:00.000Z',
  duration_ms: 60_000,
  bytes: 1_000_000,
  playlist: '/vod/b1/index.m3u8',
  video: '/vod/b1/video.mp4',
  poster: '/vod/b1/poster.jpg',
  storyboard: null,
  chapters: '/vod/b1/chapters.vtt',
};

describe('parseRecording', () => {
  it('takes what the node says, with whole addresses', () => {
    expect(parseRecording(READY, BASE)).toMatchObject({
      broadcast: 'b1',
      state: 'ready',
      startedAt: Date.UTC(2026, 0, 1, 10),
      durationMs: 60_000,
      playlist: 'https://node.example/vod/b1/index.m3u8',
      storyboard: null,
      problem: '',
    });
  });

  it('does without what is missing', () => {
    const { broadcast, state } = READY;
    expect(parseRecording({ broadcast, state }, BASE)).toMatchObject({
      title: '',
      startedAt: null,
      durationMs: 0,
      playlist: null,
    });
  });

  it('refuses what is none, and addresses that lead into scripts', () => {
    for (const body of [
      null,
      [],
      'x',
      {},
      { ...READY, state: 'new' },
      { ...READY, broadcast: '' },
    ]) {
      expect(parseRecording(body, BASE)).toBeNull();
    }
    expect(parseRecording({ ...READY, video: 'javascript:alert(1)' }, BASE)?.video).toBeNull();
  });
});

describe('addresses', () => {
  it('carry the token where there is one', () => {
    expect(withToken('https://node.example/vod/b1/poster.jpg', '')).not.toContain('token');
    expect(withToken('https://node.example/vod/b1/a.jpg?x=1', 'a b')).toBe(
      'https://node.example/vod/b1/a.jpg?x=1&token=a+b',
    );
    expect(vodPage('b1', '')).toBe('/vod/b1');
    expect(vodPage('b1', 's')).toBe('/vod/b1#token=s');
  });
});
