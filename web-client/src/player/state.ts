import type { ConnectionState } from '../shared/connection-state.ts';
import type { Problem } from '../shared/problem.ts';

/** What the viewer is told. It follows from the connection and the picture alone: `playerState`. */
export type PlayerState =
  /** The first session is being opened. */
  | { name: 'connecting' }
  /** The session is open, but no picture comes: not yet, or no more (`hasStopped`). */
  | { name: 'waiting'; hasStopped: boolean }
  /** The publisher is gone in the middle of its broadcast, and the node waits for it. */
  | { name: 'interrupted' }
  /** Frames are being decoded. */
  | { name: 'playing' }
  /** The path or the session was lost; an attempt runs, or starts in `inMs`. */
  | { name: 'reconnecting'; attempt: number; inMs: number; problem: Problem | null }
  /** The broadcast is over. If the session is still open, a new broadcast plays by itself. */
  | { name: 'ended' }
  /** Nothing will happen before the viewer does something about it. */
  | { name: 'error'; problem: Problem };

/**
 * The picture of a channel, across sessions: never seen, being decoded, stopped, gone with its publisher, or over with its
 * broadcast.
 */
export type Picture = 'none' | 'flows' | 'stopped' | 'interrupted' | 'over';

export type PictureEvent =
  | 'media-flows'
  | 'media-stalled'
  | 'connection-lost'
  | 'publisher-left'
  | 'publisher-back'
  | 'broadcast-ended';

export function nextPicture(picture: Picture, event: PictureEvent): Picture {
  switch (event) {
    case 'media-flows':
      return 'flows';
    case 'media-stalled':
      return picture === 'flows' ? 'stopped' : picture;
    case 'connection-lost':
      // The next session isn't told of a publisher that left before it.
      return picture === 'flows' || picture === 'interrupted' ? 'stopped' : picture;
    case 'publisher-left':
      return picture === 'none' || picture === 'over' ? picture : 'interrupted';
    case 'publisher-back':
      return picture === 'interrupted' || picture === 'over' ? 'stopped' : picture;
    case 'broadcast-ended':
      return picture === 'none' ? picture : 'over';
  }
}

export function playerState(connection: ConnectionState, picture: Picture): PlayerState {
  switch (connection.name) {
    case 'off':
      return picture === 'none' ? { name: 'connecting' } : { name: 'ended' };
    case 'opening':
      return connection.attempt === 0 && picture === 'none'
        ? { name: 'connecting' }
        : reconnecting(connection.attempt);
    case 'up':
      return openSession(picture);
    case 'restarting':
      // The path may be dead one way only, or come back by itself: a picture that flows is playing.
      return picture === 'flows' ? { name: 'playing' } : reconnecting(0);
    case 'pausing':
      return {
        name: 'reconnecting',
        attempt: connection.attempt,
        inMs: connection.ms,
        problem: connection.problem,
      };
    case 'refused':
      return refused(connection.problem, picture);
  }
}

function openSession(picture: Picture): PlayerState {
  switch (picture) {
    case 'flows':
      return { name: 'playing' };
    case 'interrupted':
      return { name: 'interrupted' };
    case 'over':
      return { name: 'ended' };
    case 'stopped':
    case 'none':
      return { name: 'waiting', hasStopped: picture === 'stopped' };
  }
}

function reconnecting(attempt: number): PlayerState {
  return { name: 'reconnecting', attempt: Math.max(attempt, 1), inMs: 0, problem: null };
}

/** A channel that vanishes after its picture was seen has ended, rather than never existed. */
function refused(problem: Problem, picture: Picture): PlayerState {
  const gone = problem.status === 404 && picture !== 'none';
  return gone ? { name: 'ended' } : { name: 'error', problem };
}
