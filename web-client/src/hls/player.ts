import { Playback } from '../player/playback.ts';
import type { PlayerState } from '../player/state.ts';
import type { PathEvent } from '../shared/peer-session.ts';
import { Progress } from './progress.ts';
import type { HlsSession } from './session.ts';

/** How often the picture is looked at. */
const TICK_MS = 250;

/** What the player needs from its surroundings. */
export interface HlsPlayerPorts {
  openSession: (
    signal: AbortSignal,
    onPath: (event: PathEvent) => void,
    onEnded: () => void,
  ) => Promise<HlsSession>;
  /** Whether the channel is live; null if that can't be told. */
  isLive: () => Promise<boolean | null>;
  /** What the video element shows: its position in seconds. */
  look: () => { position: number; isPaused: boolean };
  onState: (state: PlayerState) => void;
  /** A quarter of a second has passed. */
  onTick: () => void;
}

/**
 * Plays one channel's LL-HLS: a watch over the picture that its session brings.
 *
 * `open` it, tell it of the viewer's wish to retry (`open` again), and `close` it in the end.
 */
export class HlsPlayer {
  readonly #ports: HlsPlayerPorts;
  readonly #playback: Playback<HlsSession>;
  #progress = new Progress();
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(ports: HlsPlayerPorts) {
    this.#ports = ports;
    this.#playback = new Playback({
      openSession: (signal, onPath) =>
        ports.openSession(signal, onPath, () => {
          this.#playback.tell('broadcast-ended');
        }),
      isLive: ports.isLive,
      // Its end is in the playlist: a picture that stops without one waits for its publisher.
      absence: { missed: ['stopped'], noes: 1, means: 'publisher-left' },
      onState: ports.onState,
      onOpening: () => {
        this.#progress = new Progress();
      },
    });
  }

  get state(): PlayerState {
    return this.#playback.state;
  }

  get session(): HlsSession | null {
    return this.#playback.session;
  }

  open(): void {
    this.#playback.open();
    this.#ticker ??= setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  /** Looks anew whether there is something to play: for a broadcast that ended. */
  reopen(): void {
    this.#playback.reopen();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#playback.close();
  }

  #tick(): void {
    this.#ports.onTick();
    if (this.#playback.connection !== 'up') return;
    const { position, isPaused } = this.#ports.look();
    const news = this.#progress.observe(performance.now(), position, isPaused);
    if (news !== null) this.#playback.tell(news);
  }
}
