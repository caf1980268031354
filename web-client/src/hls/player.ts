import { Connection } from '../shared/connection.ts';
import type { PathEvent } from '../shared/peer-session.ts';
import {
  nextPicture,
  playerState,
  type Picture,
  type PictureEvent,
  type PlayerState,
} from '../whep/player-state.ts';
import { Progress } from './progress.ts';
import type { HlsSession } from './session.ts';

/** How often the picture is looked at. */
const TICK_MS = 250;
/** How often it's asked whether a channel whose picture stopped is still live. */
const LIVE_CHECK_MS = 2_000;

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
 * Plays one channel's LL-HLS: a connection, and a watch over the picture.
 *
 * `open` it, tell it of the viewer's wish to retry (`open` again), and `close` it in the end.
 */
export class HlsPlayer {
  readonly #ports: HlsPlayerPorts;
  readonly #connection: Connection<HlsSession>;
  #state: PlayerState = { name: 'connecting' };
  #picture: Picture = 'none';
  #progress = new Progress();
  #ticker: ReturnType<typeof setInterval> | undefined;
  #checkedAt = -Infinity;

  constructor(ports: HlsPlayerPorts) {
    this.#ports = ports;
    this.#connection = new Connection({
      openSession: (signal, onPath) =>
        ports.openSession(signal, onPath, () => {
          this.#pictureEvent('broadcast-ended');
        }),
      onState: ({ name }) => {
        if (name === 'opening') this.#progress = new Progress();
        if (name !== 'up') this.#picture = nextPicture(this.#picture, 'connection-lost');
        this.#changed();
      },
    });
  }

  get state(): PlayerState {
    return this.#state;
  }

  get session(): HlsSession | null {
    return this.#connection.session;
  }

  open(): void {
    this.#connection.open();
    this.#ticker ??= setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  /** Looks anew whether there is something to play: for a broadcast that ended. */
  reopen(): void {
    this.#connection.close();
    this.open();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#connection.close();
  }

  #tick(): void {
    this.#ports.onTick();
    if (this.#connection.state.name !== 'up') return;
    const { position, isPaused } = this.#ports.look();
    const news = this.#progress.observe(performance.now(), position, isPaused);
    if (news !== null) this.#pictureEvent(news);
    if (this.#picture === 'stopped') void this.#checkLive();
  }

  #pictureEvent(event: PictureEvent): void {
    this.#picture = nextPicture(this.#picture, event);
    if (event === 'media-flows') this.#connection.proved();
    this.#changed();
  }

  #changed(): void {
    this.#state = playerState(this.#connection.state, this.#picture);
    this.#ports.onState(this.#state);
  }

  /** A picture that stopped without an end waits for its publisher. */
  async #checkLive(): Promise<void> {
    const now = performance.now();
    if (now - this.#checkedAt < LIVE_CHECK_MS) return;
    this.#checkedAt = now;
    const live = await this.#ports.isLive().catch(() => null);
    if (live === false && this.#picture === 'stopped') this.#pictureEvent('publisher-left');
  }
}
