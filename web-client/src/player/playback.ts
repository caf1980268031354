import { Connection, type ConnectionPorts, type KeptSession } from '../shared/connection.ts';
import type { ConnectionState } from '../shared/connection-state.ts';
import type { Problem } from '../shared/problem.ts';
import {
  nextPicture,
  playerState,
  type Picture,
  type PictureEvent,
  type PlayerState,
} from './state.ts';

/** How often it's asked whether a channel whose picture is missed is still live. */
const LIVE_CHECK_MS = 2_000;

/** What it means that a channel isn't live whose picture is missed. */
export interface Absence {
  /** Which pictures are missed. */
  missed: readonly Picture[];
  /** How many noes in a row are believed. */
  noes: number;
  means: PictureEvent;
}

/** What playing needs from its surroundings. */
export interface PlaybackPorts<Session extends KeptSession> {
  openSession: ConnectionPorts<Session>['openSession'];
  /** Whether the channel is live; null if that can't be told. */
  isLive: () => Promise<boolean | null>;
  absence: Absence;
  onState: (state: PlayerState) => void;
  /** A session is being opened: what was seen of the one before it counts no more. */
  onOpening: () => void;
  /** Of the connection, which see. */
  onSession?: (session: Session) => void;
  isReady?: (session: Session, signal: AbortSignal) => Promise<void>;
  onMoved?: (session: Session) => void;
  onMoveFailed?: (problem: Problem) => void;
}

/**
 * What all players have in common: a connection, the picture that comes over it, and what follows from both for the viewer.
 *
 * A player owns one, tells it what becomes of the picture (`tell`), and passes the viewer's wishes on.
 */
export class Playback<Session extends KeptSession> {
  readonly #ports: PlaybackPorts<Session>;
  readonly #connection: Connection<Session>;
  #state: PlayerState = { name: 'connecting' };
  #picture: Picture = 'none';
  #noes = 0;
  #liveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: PlaybackPorts<Session>) {
    this.#ports = ports;
    this.#connection = new Connection({
      openSession: ports.openSession,
      onState: (state) => {
        this.#connectionChanged(state);
      },
      onSession: (session) => ports.onSession?.(session),
      isReady: async (session, signal) => ports.isReady?.(session, signal),
      onMoved: (session) => ports.onMoved?.(session),
      onMoveFailed: (problem) => ports.onMoveFailed?.(problem),
    });
  }

  get state(): PlayerState {
    return this.#state;
  }

  get picture(): Picture {
    return this.#picture;
  }

  get connection(): ConnectionState['name'] {
    return this.#connection.state.name;
  }

  get session(): Session | null {
    return this.#connection.session;
  }

  open(): void {
    this.#connection.open();
  }

  /** Closes what is left of the session and opens a new one: for a broadcast that ended. */
  reopen(): void {
    this.#connection.close();
    this.#connection.open();
  }

  /** Goes over to another session, as smoothly as that can be. */
  move(): void {
    this.#connection.move();
  }

  close(): void {
    clearTimeout(this.#liveTimer);
    this.#liveTimer = undefined;
    this.#connection.close();
  }

  /** Something became of the picture. */
  tell(event: PictureEvent): void {
    this.#picture = nextPicture(this.#picture, event);
    if (event === 'media-flows') this.#connection.proved();
    this.#changed();
  }

  #connectionChanged({ name }: ConnectionState): void {
    if (name === 'opening') this.#ports.onOpening();
    // During an ICE restart the player notices by itself whether the picture stops.
    if (name !== 'up' && name !== 'restarting') {
      this.#picture = nextPicture(this.#picture, 'connection-lost');
    }
    this.#changed();
  }

  #changed(): void {
    this.#state = playerState(this.#connection.state, this.#picture);
    this.#checkLiveSoon();
    this.#ports.onState(this.#state);
  }

  /** A picture that is missed may come back, or its broadcast is over: the node knows. */
  #checkLiveSoon(): void {
    const isMissed = this.#ports.absence.missed.includes(this.#picture);
    if (!isMissed || this.#connection.state.name !== 'up') {
      clearTimeout(this.#liveTimer);
      this.#liveTimer = undefined;
      this.#noes = 0;
      return;
    }
    this.#liveTimer ??= setTimeout(() => {
      void this.#checkLive();
    }, LIVE_CHECK_MS);
  }

  async #checkLive(): Promise<void> {
    const timer = this.#liveTimer;
    const live = await this.#ports.isLive().catch(() => null);
    if (timer === undefined || this.#liveTimer !== timer) return;
    this.#liveTimer = undefined;
    this.#noes = live === false ? this.#noes + 1 : 0;
    const { noes, means } = this.#ports.absence;
    if (this.#noes >= noes) this.tell(means);
    else this.#checkLiveSoon();
  }
}
