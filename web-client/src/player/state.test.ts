import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../shared/connection-state.ts';
import { nextPicture, playerState, type Picture, type PictureEvent } from './state.ts';

const problem = { status: 503, title: 'Busy', detail: 'Later.', retryAfterMs: null };
const up: ConnectionState = { name: 'up' };

function pictureAfter(...events: PictureEvent[]): Picture {
  return events.reduce<Picture>(nextPicture, 'none');
}

describe('the picture', () => {
  it('flows, stops, and flows again', () => {
    expect(pictureAfter('media-flows')).toBe('flows');
    expect(pictureAfter('media-flows', 'media-stalled')).toBe('stopped');
    expect(pictureAfter('media-flows', 'media-stalled', 'media-flows')).toBe('flows');
  });

  it('is over only after it was seen', () => {
    expect(pictureAfter('broadcast-ended')).toBe('none');
    expect(pictureAfter('media-flows', 'broadcast-ended')).toBe('over');
    expect(pictureAfter('media-flows', 'media-stalled', 'broadcast-ended')).toBe('over');
  });

  it('stops when the connection is lost, and was never there if it was never seen', () => {
    expect(pictureAfter('media-flows', 'connection-lost')).toBe('stopped');
    expect(pictureAfter('connection-lost')).toBe('none');
  });

  it('goes with its publisher, and is awaited when that is back', () => {
    expect(pictureAfter('publisher-left')).toBe('none');
    expect(pictureAfter('media-flows', 'publisher-left')).toBe('interrupted');
    expect(pictureAfter('media-flows', 'publisher-left', 'media-stalled')).toBe('interrupted');
    expect(pictureAfter('media-flows', 'publisher-left', 'publisher-back')).toBe('stopped');
    expect(pictureAfter('media-flows', 'publisher-left', 'broadcast-ended')).toBe('over');
    expect(pictureAfter('media-flows', 'broadcast-ended', 'publisher-left')).toBe('over');
  });

  it('is awaited on another session, which is not told that its publisher had left', () => {
    expect(pictureAfter('media-flows', 'publisher-left', 'connection-lost')).toBe('stopped');
  });

  it('comes back by itself when a new broadcast begins', () => {
    const events = ['media-flows', 'media-stalled', 'broadcast-ended', 'media-flows'] as const;
    expect(pictureAfter(...events)).toBe('flows');
  });
});

describe('the player', () => {
  it('connects first', () => {
    expect(playerState({ name: 'opening', attempt: 0 }, 'none')).toEqual({ name: 'connecting' });
  });

  it('waits on an open session without a picture', () => {
    expect(playerState(up, 'none')).toEqual({ name: 'waiting', hasStopped: false });
    expect(playerState(up, 'stopped')).toEqual({ name: 'waiting', hasStopped: true });
  });

  it('plays when frames are decoded, also while ICE restarts', () => {
    expect(playerState(up, 'flows')).toEqual({ name: 'playing' });
    expect(playerState({ name: 'restarting' }, 'flows')).toEqual({ name: 'playing' });
  });

  it('reconnects after a loss', () => {
    expect(playerState({ name: 'restarting' }, 'stopped').name).toBe('reconnecting');
    expect(playerState({ name: 'opening', attempt: 3 }, 'stopped')).toMatchObject({
      name: 'reconnecting',
      attempt: 3,
    });
    const pausing: ConnectionState = { name: 'pausing', attempt: 2, ms: 800, problem };
    expect(playerState(pausing, 'stopped')).toEqual({
      name: 'reconnecting',
      attempt: 2,
      inMs: 800,
      problem,
    });
  });

  it('tells an interruption from an end', () => {
    expect(playerState(up, 'interrupted')).toEqual({ name: 'interrupted' });
  });

  it('ends with its broadcast', () => {
    expect(playerState(up, 'over')).toEqual({ name: 'ended' });
  });

  it('tells a channel that vanished from one that never was', () => {
    const gone: ConnectionState = { name: 'refused', problem: { ...problem, status: 404 } };
    expect(playerState(gone, 'stopped')).toEqual({ name: 'ended' });
    expect(playerState(gone, 'none').name).toBe('error');
  });

  it('gives the reason of an error', () => {
    expect(playerState({ name: 'refused', problem }, 'none')).toEqual({ name: 'error', problem });
  });
});
