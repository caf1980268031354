import type { Pauses } from '../shared/backoff.ts';
import { NO_PATH } from '../shared/connection-state.ts';
import type { Problem } from '../shared/problem.ts';
import type { Going, Reason, Way } from './handover.ts';
import type { PlayerState } from './state.ts';

/**
 * Pauses before WebRTC is asked for again: 10 to 20 s at first, 60 to 120 s in the end. So a thousand pages ask a full node
 * eleven times a second in the long run, and none more than once in 10 s.
 */
export const RETURN: Pauses = { first: 20_000, longest: 120_000 };

/** The same while LL-HLS doesn't play either: nobody asks more than once in 5 s. */
export const RETURN_SOON: Pauses = { first: 10_000, longest: 20_000 };

/** Attempts that fail before LL-HLS is tried where nothing speaks for it. */
const PATIENCE = 3;

/** Refusals that hold for LL-HLS as well. */
const FOR_ALL: readonly number[] = [401, 403, 404];

/** Why a WebRTC player's viewer is better off with LL-HLS; null if that isn't so. */
export function seeksHls(state: PlayerState): Reason | null {
  if (state.name === 'error') {
    const { status } = state.problem;
    if (FOR_ALL.includes(status)) return null;
    return status === 429 || status >= 500 ? 'full' : 'no-path';
  }
  // During an attempt nothing is known yet.
  if (state.name !== 'reconnecting' || state.inMs === 0) return null;
  const { problem, attempt } = state;
  if (problem?.offersHls === true) return 'full';
  if (problem === NO_PATH) return 'no-path';
  // A node that can't be reached serves no LL-HLS either.
  if (problem?.status === 0 || attempt < PATIENCE) return null;
  return problem === null ? 'no-path' : 'full';
}

/** What became of a player that is being prepared: null for a failure without a word, undefined for none. */
export function failedProblem(state: PlayerState | undefined): Problem | null | undefined {
  if (state?.name === 'error' || state?.name === 'reconnecting') return state.problem;
  return undefined;
}

/** Whether a player that was prepared can take the place of one in that state. WebRTC is also the better place to wait. */
export function isGoodEnough({ kind, state }: Way, shown: PlayerState): boolean {
  if (state.name === 'playing') return true;
  const waits = state.name === 'waiting' || state.name === 'interrupted';
  return kind === 'webrtc' && waits && shown.name !== 'playing';
}

/** What goes on, in words; empty if that needs none. */
export function describeGoing({ shown, reason, next }: Going): string {
  if (next === 'rewound') return 'Rewinding…';
  if (shown === 'rewound') return next === null ? 'You watch the recording.' : 'Going live…';
  if (shown === 'webrtc') return next === 'hls' ? 'Going over to LL-HLS…' : '';
  if (next === 'webrtc') return 'Trying WebRTC…';
  switch (reason) {
    case 'full':
      return 'LL-HLS: the server has no room for WebRTC. Goes back by itself.';
    case 'no-path':
      return 'LL-HLS: WebRTC doesn’t get through. Tried again by itself.';
    case 'no-webrtc':
      return 'LL-HLS: this browser has no WebRTC.';
    default:
      return '';
  }
}
