import { Playback, type PlaybackPorts } from '../player/playback.ts';
import { nextPicture, type PlayerState } from '../player/state.ts';
import { captureAgeMs } from '../shared/capture-time.ts';
import type { PeerSession } from '../shared/peer-session.ts';
import type { Problem } from '../shared/problem.ts';
import { StatsPoll } from '../shared/stats-poll.ts';
import type { Activity } from './events.ts';
import { MediaWatch } from './media-watch.ts';
import { readViewerStats, type ViewerStats } from './viewer-stats.ts';

/** How often counters are read: quickly while a picture is awaited, calmly afterwards. */
const POLL_FIRST_MS = 50;
const POLL_WAITING_MS = 250;
const POLL_PLAYING_MS = 1_000;
/** Frames that were under way when the publisher left are shown for so long; later ones are news. */
const STRAGGLERS_MS = 1_000;
/** How long a session whose path is up may take to its first picture before it takes another's place all the same. */
const FIRST_PICTURE_MS = 3_000;

/** What the player needs from its surroundings. */
export interface PlayerPorts {
  openSession: PlaybackPorts<PeerSession>['openSession'];
  /** This is the session from now on. */
  onSession?: (session: PeerSession) => void;
  /** It has taken the place of the one that was up, and has a picture if that one had. */
  onMoved?: (session: PeerSession) => void;
  /** Whether the channel is live; null if that can't be told. */
  isLive: () => Promise<boolean | null>;
  isHidden: () => boolean;
  onState: (state: PlayerState) => void;
  onStats: (stats: ViewerStats) => void;
  /** No session could be made where `move` was to lead; the present one plays on. */
  onMoveFailed?: (problem: Problem) => void;
}

/**
 * Plays one channel over WHEP: a watch over the media that its session brings.
 *
 * `open` it, tell it of shown frames and of the viewer's wish to retry (`open` again), and `close` it in the end.
 */
export class Player {
  readonly #ports: PlayerPorts;
  readonly #playback: Playback<PeerSession>;
  readonly #poll: StatsPoll;
  #watch = new MediaWatch();
  #stragglersUntil = -Infinity;

  constructor(ports: PlayerPorts) {
    this.#ports = ports;
    this.#playback = new Playback({
      openSession: ports.openSession,
      isLive: ports.isLive,
      absence: { missed: ['stopped', 'interrupted'], noes: 2, means: 'broadcast-ended' },
      onState: ports.onState,
      onOpening: () => {
        this.#watch = new MediaWatch();
      },
      onSession: (session) => ports.onSession?.(session),
      isReady: (session, signal) => this.#hasPicture(session.peer, signal),
      onMoved: (session) => {
        // It must show frames soon, like the one before it.
        this.#watch = new MediaWatch();
        this.#watch.frameShown(performance.now());
        ports.onMoved?.(session);
      },
      onMoveFailed: (problem) => ports.onMoveFailed?.(problem),
    });
    this.#poll = new StatsPoll(
      () => this.#playback.session,
      () => (this.state.name === 'playing' ? POLL_PLAYING_MS : POLL_WAITING_MS),
      (peer, report, previous) => {
        this.#readStats(peer, readViewerStats(report, previous, this.#endToEnd(peer)));
      },
    );
  }

  get state(): PlayerState {
    return this.#playback.state;
  }

  open(): void {
    this.#playback.open();
    this.#poll.start();
  }

  /** Closes what is left of the session and opens a new one: for a broadcast that ended. */
  reopen(): void {
    this.#playback.reopen();
    this.#poll.start();
  }

  /** Goes over to another session, as smoothly as that can be. */
  move(): void {
    this.#playback.move();
  }

  /** The node says that the channel is on air, waits for its publisher, or is over. */
  setActivity(activity: Activity): void {
    const events = {
      active: 'publisher-back',
      interrupted: 'publisher-left',
      over: 'broadcast-ended',
    } as const;
    const { picture } = this.#playback;
    const left = picture === 'flows' && activity !== 'active';
    if (left) this.#stragglersUntil = performance.now() + STRAGGLERS_MS;
    else if (activity === 'active') this.#stragglersUntil = -Infinity;
    const event = events[activity];
    if (nextPicture(picture, event) !== picture) this.#playback.tell(event);
    // What was decoded before is counted at once, so that only fresh frames are news later.
    if (left) this.#poll.start();
  }

  /** A frame of the current session was put on screen. */
  frameShown(): void {
    const { connection, picture } = this.#playback;
    if (connection !== 'up' && connection !== 'restarting') return;
    if (performance.now() < this.#stragglersUntil) return;
    this.#watch.frameShown(performance.now());
    if (picture !== 'flows') this.#playback.tell('media-flows');
  }

  close(): void {
    this.#poll.stop();
    this.#playback.close();
  }

  /** Waits for the first picture of a session, if there is one to come. */
  async #hasPicture(peer: RTCPeerConnection, signal: AbortSignal): Promise<void> {
    const until = performance.now() + FIRST_PICTURE_MS;
    while (!signal.aborted && this.#playback.picture === 'flows' && performance.now() < until) {
      const { video } = readViewerStats(await peer.getStats(), null, null);
      if (video !== null && video.framesDecoded > 0) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_FIRST_MS));
    }
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
    const known = this.#playback.picture === 'flows' ? 'media-flows' : 'media-stalled';
    if (news !== null && news !== known) this.#playback.tell(news);
  }
}
