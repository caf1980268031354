import { captureAgeMs } from '../shared/capture-time.ts';
import { Connection } from '../shared/connection.ts';
import type { ConnectionState } from '../shared/connection-state.ts';
import type { PathEvent, PeerSession } from '../shared/peer-session.ts';
import { StatsPoll } from '../shared/stats-poll.ts';
import type { Activity } from './events.ts';
import { MediaWatch } from './media-watch.ts';
import {
  nextPicture,
  playerState,
  type Picture,
  type PictureEvent,
  type PlayerState,
} from './player-state.ts';
import { readViewerStats, type ViewerStats } from './viewer-stats.ts';

/** How often counters are read: quickly while a picture is awaited, calmly afterwards. */
const POLL_WAITING_MS = 250;
const POLL_PLAYING_MS = 1_000;
/** How often to ask whether a channel whose picture stopped is still live, and how many noes end the broadcast. */
const LIVE_CHECK_MS = 2_000;
const LIVE_CHECKS = 2;
/** Frames that were under way when the publisher left are shown for so long; later ones are news. */
const STRAGGLERS_MS = 1_000;

/** What the player needs from its surroundings. */
export interface PlayerPorts {
  openSession: (signal: AbortSignal, onPath: (event: PathEvent) => void) => Promise<PeerSession>;
  /** Whether the channel is live; null if that can't be told. */
  isLive: () => Promise<boolean | null>;
  isHidden: () => boolean;
  onState: (state: PlayerState) => void;
  onStats: (stats: ViewerStats) => void;
}

/**
 * Plays one channel: a connection, and a watch over the media that it brings.
 *
 * `open` it, tell it of shown frames and of the viewer's wish to retry (`open` again), and `close` it in the end.
 */
export class Player {
  readonly #ports: PlayerPorts;
  readonly #connection: Connection<PeerSession>;
  readonly #poll: StatsPoll;
  #state: PlayerState = { name: 'connecting' };
  #picture: Picture = 'none';
  #watch = new MediaWatch();
  #liveMisses = 0;
  #liveTimer: ReturnType<typeof setTimeout> | undefined;
  #stragglersUntil = -Infinity;

  constructor(ports: PlayerPorts) {
    this.#ports = ports;
    this.#connection = new Connection({
      openSession: ports.openSession,
      onState: (state) => {
        this.#connectionChanged(state);
      },
      onMoved: () => {
        // It must show frames soon, like the one before it.
        this.#watch = new MediaWatch();
        this.#watch.frameShown(performance.now());
      },
    });
    this.#poll = new StatsPoll(
      () => this.#connection.session,
      () => (this.#state.name === 'playing' ? POLL_PLAYING_MS : POLL_WAITING_MS),
      (peer, report, previous) => {
        this.#readStats(peer, readViewerStats(report, previous, this.#endToEnd(peer)));
      },
    );
  }

  get state(): PlayerState {
    return this.#state;
  }

  open(): void {
    this.#connection.open();
    this.#poll.start();
  }

  /** Closes what is left of the session and opens a new one: for a broadcast that ended. */
  reopen(): void {
    this.#connection.close();
    this.open();
  }

  /** Goes over to another session, as smoothly as that can be. */
  move(): void {
    this.#connection.move();
  }

  /** The node says that the channel is on air, waits for its publisher, or is over. */
  setActivity(activity: Activity): void {
    const events = {
      active: 'publisher-back',
      interrupted: 'publisher-left',
      over: 'broadcast-ended',
    } as const;
    const left = this.#picture === 'flows' && activity !== 'active';
    if (left) this.#stragglersUntil = performance.now() + STRAGGLERS_MS;
    else if (activity === 'active') this.#stragglersUntil = -Infinity;
    const event = events[activity];
    if (nextPicture(this.#picture, event) !== this.#picture) this.#pictureEvent(event);
    // What was decoded before is counted at once, so that only fresh frames are news later.
    if (left) this.#poll.start();
  }

  /** A frame of the current session was put on screen. */
  frameShown(): void {
    const { name } = this.#connection.state;
    if (name !== 'up' && name !== 'restarting') return;
    if (performance.now() < this.#stragglersUntil) return;
    this.#watch.frameShown(performance.now());
    if (this.#picture !== 'flows') this.#pictureEvent('media-flows');
  }

  close(): void {
    this.#poll.stop();
    clearTimeout(this.#liveTimer);
    this.#connection.close();
  }

  #connectionChanged(connection: ConnectionState): void {
    const { name } = connection;
    if (name === 'opening') this.#watch = new MediaWatch();
    // During an ICE restart the watch notices by itself whether the picture stops.
    if (name !== 'up' && name !== 'restarting') {
      this.#picture = nextPicture(this.#picture, 'connection-lost');
    }
    this.#changed();
  }

  #pictureEvent(event: PictureEvent): void {
    this.#picture = nextPicture(this.#picture, event);
    if (event === 'media-flows') this.#connection.proved();
    this.#changed();
  }

  #changed(): void {
    this.#state = playerState(this.#connection.state, this.#picture);
    this.#checkLiveSoon();
    this.#ports.onState(this.#state);
  }

  #endToEnd(peer: RTCPeerConnection): number | null {
    const video = peer.getReceivers().find(({ track }) => track.kind === 'video');
    return video === undefined ? null : captureAgeMs(video, Date.now());
  }

  #readStats(peer: RTCPeerConnection, stats: ViewerStats): void {
    this.#ports.onStats(stats);
    if (peer.connectionState === 'closed') return;
    const progress = {
      framesDecoded: stats.video?.framesDecoded ?? 0,
      videoPackets: stats.video?.packetsReceived ?? 0,
      audioPackets: stats.audio?.packetsReceived ?? 0,
    };
    const now = performance.now();
    const news = this.#watch.observe(now, progress, this.#ports.isHidden());
    if (now < this.#stragglersUntil) return;
    const known = this.#picture === 'flows' ? 'media-flows' : 'media-stalled';
    if (news !== null && news !== known) this.#pictureEvent(news);
  }

  /** A picture that stopped may come back, or its broadcast is over: the node knows. */
  #checkLiveSoon(): void {
    const { name } = this.#state;
    const isMissed = name === 'waiting' && this.#picture === 'stopped';
    if (!isMissed && name !== 'interrupted') {
      clearTimeout(this.#liveTimer);
      this.#liveTimer = undefined;
      this.#liveMisses = 0;
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
    this.#liveMisses = live === false ? this.#liveMisses + 1 : 0;
    if (this.#liveMisses >= LIVE_CHECKS) this.#pictureEvent('broadcast-ended');
    else this.#checkLiveSoon();
  }
}
