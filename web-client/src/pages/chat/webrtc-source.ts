import type { PictureClock, ShownFrame } from '../../chat/picture-clock.ts';
import type { Sample } from '../../chat/report.ts';
import type { PlayerState } from '../../player/state.ts';
import type { ChatChannels } from '../../shared/chat-channels.ts';
import type { ViewerStats } from '../../whep/viewer-stats.ts';
import { pictureOf, type ChatSource } from './source.ts';

/** What is to be seen of the player. */
export interface WebRtcLook {
  state: PlayerState;
  stats: ViewerStats | null;
  isPaused: boolean;
}

/** What the chat needs of a WebRTC player. */
export class WebRtcSource implements ChatSource {
  readonly hasChannels = true;
  readonly #look: () => WebRtcLook;
  #frame: ShownFrame | null = null;
  #channels: ChatChannels | null = null;

  constructor(look: () => WebRtcLook) {
    this.#look = look;
  }

  get channels(): ChatChannels | null {
    return this.#channels;
  }

  /** The next session counts from elsewhere. */
  sessionOpened(channels: ChatChannels): void {
    this.#channels = channels;
    this.#frame = null;
  }

  frameShown(rtp: number): void {
    this.#frame = { rtp, shownAt: performance.now() };
  }

  pictureTime(_startedAt: number, clock: PictureClock): number | null {
    const { state, stats, isPaused } = this.#look();
    if (state.name !== 'playing' || isPaused) return null;
    const delayMs = (stats?.video?.jitterBufferMs ?? 0) + (stats?.video?.decodeMs ?? 0);
    return clock.time(this.#frame, performance.now(), delayMs);
  }

  sample(): Sample {
    const { state, stats, isPaused } = this.#look();
    return {
      player: 'webrtc',
      picture: isPaused ? 'none' : pictureOf(state),
      freezes: stats?.video?.freezes ?? 0,
      frozenMs: (stats?.video?.freezeSeconds ?? 0) * 1_000,
      latencyMs: stats?.endToEndMs ?? stats?.latencyMs ?? null,
      height: stats?.video?.height ?? 0,
    };
  }
}
