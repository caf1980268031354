import type { PictureClock } from '../../chat/picture-clock.ts';
import type { Sample } from '../../chat/report.ts';
import type { PlayerState } from '../../player/state.ts';
import type { ChatChannels } from '../../shared/chat-channels.ts';

/** What the chat needs of a player. */
export interface ChatSource {
  /** Those of its present session; null without one. */
  readonly channels: ChatChannels | null;
  /** Whether it has channels, once it has a session. */
  readonly hasChannels: boolean;
  /**
   * The stream time of what it shows, given stream time 0 in Unix milliseconds and what the node tells of frames over these channels;
   * null where it shows nothing that moves.
   */
  pictureTime: (startedAt: number, clock: PictureClock) => number | null;
  /** How it does. */
  sample: () => Sample;
}

/** Whether a picture moves, should, or needn't. */
export function pictureOf(state: PlayerState): Sample['picture'] {
  if (state.name === 'playing') return 'moves';
  const isMissed = state.name === 'reconnecting' || (state.name === 'waiting' && state.hasStopped);
  return isMissed ? 'stands' : 'none';
}
