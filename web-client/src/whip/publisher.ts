import { Connection } from '../shared/connection.ts';
import type { ConnectionState } from '../shared/connection-state.ts';
import type { PathEvent, PeerSession } from '../shared/peer-session.ts';
import type { Problem } from '../shared/problem.ts';
import { StatsPoll } from '../shared/stats-poll.ts';
import { readPublisherStats, type PublisherStats } from './publisher-stats.ts';

const POLL_MS = 1_000;

/** What the streamer is told of the broadcast. */
export type PublisherState =
  | { name: 'offline' }
  | { name: 'connecting' }
  | { name: 'live' }
  | { name: 'reconnecting'; attempt: number; inMs: number; problem: Problem | null }
  | { name: 'error'; problem: Problem };

export function publisherState(connection: ConnectionState): PublisherState {
  switch (connection.name) {
    case 'off':
      return { name: 'offline' };
    case 'opening':
      return connection.attempt === 0
        ? { name: 'connecting' }
        : { name: 'reconnecting', attempt: connection.attempt, inMs: 0, problem: null };
    case 'up':
      return { name: 'live' };
    case 'restarting':
      return { name: 'reconnecting', attempt: 1, inMs: 0, problem: null };
    case 'pausing': {
      const { attempt, ms, problem } = connection;
      return { name: 'reconnecting', attempt, inMs: ms, problem };
    }
    case 'refused':
      return { name: 'error', problem: connection.problem };
  }
}

export interface PublisherPorts {
  openSession: (signal: AbortSignal, onPath: (event: PathEvent) => void) => Promise<PeerSession>;
  onState: (state: PublisherState) => void;
  /** This is the session from now on. */
  onSession: (session: PeerSession) => void;
  onStats: (stats: PublisherStats) => void;
}

/** Publishes one channel, reconnecting until it is stopped. The tracks belong to the caller. */
export class Publisher {
  readonly #connection: Connection<PeerSession>;
  readonly #poll: StatsPoll;
  #proved = false;

  constructor(ports: PublisherPorts) {
    this.#connection = new Connection({
      openSession: ports.openSession,
      onState: (state) => {
        if (state.name === 'opening') this.#proved = false;
        ports.onState(publisherState(state));
      },
      onSession: ports.onSession,
    });
    this.#poll = new StatsPoll(
      () => this.#connection.session,
      () => POLL_MS,
      (_peer, report, previous) => {
        const stats = readPublisherStats(report, previous);
        this.#prove(stats);
        ports.onStats(stats);
      },
    );
  }

  get state(): PublisherState {
    return publisherState(this.#connection.state);
  }

  get peer(): RTCPeerConnection | null {
    return this.#connection.session?.peer ?? null;
  }

  goLive(): void {
    this.#connection.open();
    this.#poll.start();
  }

  stop(): void {
    this.#poll.stop();
    this.#connection.close();
  }

  /** Replaces the session by a new one: for settings that a running one can't take over. */
  renew(): void {
    this.#connection.close();
    this.#connection.open();
  }

  /** Puts another track in the place of one that is being sent, without a new session. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    const sender = this.peer?.getSenders().find((each) => each.track?.kind === track.kind);
    await sender?.replaceTrack(track);
  }

  /** Encoded frames over a live path show that publishing works: failures so far are forgotten. */
  #prove(stats: PublisherStats): void {
    const sends = (stats.video?.bitrate ?? 0) > 0 || (stats.audio?.bitrate ?? 0) > 0;
    if (this.#proved || !sends || this.#connection.state.name !== 'up') return;
    this.#proved = true;
    this.#connection.proved();
  }
}
