import type { Kind } from '../player/handover.ts';
import { byId, setText } from '../shared/dom.ts';
import { formatDuration } from '../shared/format.ts';
import type { Recording } from '../vod/recording.ts';
import { Timeline } from './timeline.ts';
import type { Moment } from './watch-hls.ts';
import { page } from './watch-page.ts';

/** Nearer to the end than that, in seconds, is live: what is recorded comes in segments. */
const LIVE_S = 12;

export interface RewindPorts {
  /** What is seen, and how. */
  video: () => HTMLVideoElement;
  kind: () => Kind | null;
  rewind: () => void;
  goLive: () => void;
}

/** The seek bar of a broadcast that is on and recorded: back to any moment of it, and live again. */
export class Rewind {
  readonly #bar = byId('timeline', HTMLElement);
  readonly #back = byId('back-to-live', HTMLButtonElement);
  readonly #timeline: Timeline;
  readonly #ports: RewindPorts;
  #playlist: string | null = null;
  #broadcast = '';
  /** How much is recorded, and when that was said. */
  #knownS = 0;
  #knownAt = 0;
  #moment: Moment | null = null;

  constructor(ports: RewindPorts) {
    this.#ports = ports;
    this.#timeline = new Timeline({
      position: () => this.#position,
      duration: () => this.#duration,
      loadedUntil: () => this.#duration,
      seekTo: (seconds) => {
        this.#seekTo(seconds);
      },
      moment: (seconds, duration) => behind(duration - seconds),
      spoken: (seconds, duration) => behind(duration - seconds),
      onShown: (position, duration) => {
        if (this.#isRewound) setText(page.latency, behind(duration - position));
      },
    });
    this.#back.addEventListener('click', () => {
      ports.goLive();
    });
  }

  /** Where the next player is to begin; null before the viewer has chosen one. */
  get moment(): Moment | null {
    return this.#moment;
  }

  /** Takes the channel's recordings: one that is being made can be gone back in. */
  take(recordings: readonly Recording[]): void {
    const current = recordings.find(({ state }) => state === 'recording');
    this.#playlist = current?.playlist ?? null;
    const isLong = (current?.durationMs ?? 0) > LIVE_S * 1_000;
    this.#bar.hidden = this.#playlist === null || !isLong;
    if (current === undefined) return;
    // What it's said to have never shrinks: the node hears of it every few seconds only.
    const seconds = current.durationMs / 1_000;
    const isOther = current.broadcast !== this.#broadcast;
    this.#knownS = isOther ? seconds : Math.max(seconds, this.#duration);
    this.#broadcast = current.broadcast;
    this.#knownAt = performance.now();
    this.#timeline.refresh();
  }

  get #isRewound(): boolean {
    return this.#ports.kind() === 'rewound';
  }

  get #duration(): number {
    return this.#knownS + (performance.now() - this.#knownAt) / 1_000;
  }

  get #position(): number {
    return this.#isRewound ? this.#ports.video().currentTime : this.#duration;
  }

  #seekTo(seconds: number): void {
    const at = Math.max(seconds, 0);
    const isLive = this.#duration - at < LIVE_S;
    if (isLive) {
      this.#ports.goLive();
    } else if (this.#isRewound) {
      this.#ports.video().currentTime = at;
    } else if (this.#playlist !== null) {
      this.#moment = { playlist: this.#playlist, at };
      this.#ports.rewind();
    }
  }
}

function behind(seconds: number): string {
  return seconds < 1 ? 'Live' : `${formatDuration(seconds * 1_000)} behind live`;
}
