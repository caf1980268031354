import type { Engine, EngineEvents, Source } from '../hls/engine.ts';
import { makeEngine } from '../hls/make-engine.ts';
import { HlsPlayer } from '../hls/player.ts';
import { playlistUrl } from '../hls/playlist.ts';
import { HlsSession } from '../hls/session.ts';
import type { Kind, WayEvents } from '../player/handover.ts';
import type { PlayerState } from '../player/state.ts';
import { loadedUntil } from '../shared/buffered.ts';
import { byId, fillList, setText } from '../shared/dom.ts';
import { formatBehind, formatBitrate, formatMs } from '../shared/format.ts';
import type { PathEvent } from '../shared/peer-session.ts';
import { pictureOf, type ChatSource } from './chat/source.ts';
import type { Timings } from './watch-frames.ts';
import { pageLoaded } from './page-loaded.ts';
import { page } from './watch-page.ts';
import type { QualitySource } from './watch-quality.ts';
import type { PageWay, Surroundings } from './watch-way.ts';

/** How often figures are written anew: every fourth look at the picture. */
const TICKS_PER_FIGURES = 4;

/** What is known of what plays. */
interface HlsStats {
  player: string;
  /** How long ago what is shown now was on air. */
  latencyMs: number | null;
  bufferMs: number;
  /** Bit/s. */
  bitrate: number;
  bandwidth: number;
  /** How often the player had to be mended. */
  faults: number;
  video: { width: number; height: number; framesDecoded: number; framesDropped: number };
}

/** A moment of what is recorded of the broadcast that is on. */
export interface Moment {
  playlist: string;
  /** In seconds from its beginning. */
  at: number;
}

/** Plays a channel's LL-HLS, or from a moment of its recording on. */
export class HlsWay implements PageWay {
  readonly kind: Kind;
  readonly video: HTMLVideoElement;
  readonly source: ChatSource;
  readonly #around: Surroundings;
  readonly #source: Source;
  readonly #player: HlsPlayer;
  readonly #quality: QualitySource;
  #timings: Timings = { openedAt: performance.now(), firstFrameAt: null };
  #stats: HlsStats | null = null;
  #ticks = 0;

  constructor(
    video: HTMLVideoElement,
    around: Surroundings,
    { onState }: WayEvents,
    moment: Moment | null,
  ) {
    this.video = video;
    this.#around = around;
    this.kind = moment === null ? 'hls' : 'rewound';
    this.source = this.#makeSource();
    const { address, facts } = around;
    const url = moment?.playlist ?? playlistUrl(location.origin, address.channel);
    const startAt = moment === null ? {} : { startAt: moment.at };
    this.#source = { video, url, token: address.token, ...startAt };
    // What is remembered is the size in lines, so the choice holds for all players.
    this.#quality = around.quality.source((_url, { rid }) => {
      this.#engine?.choose(typeof rid === 'string' ? rid : null);
      return Promise.resolve();
    });
    this.#player = new HlsPlayer({
      openSession: (signal, onPath, onEnded) => this.#openSession(signal, onPath, onEnded),
      isLive: () => facts.isLive(),
      look: () => ({ position: video.currentTime, isPaused: video.paused }),
      onState: () => {
        if (this.state.name === 'playing') this.#timings.firstFrameAt ??= performance.now();
        onState();
        // Not only with the next tick for figures: what plays has them.
        this.#takeStats();
      },
      onTick: () => {
        this.#ticks += 1;
        if (this.#ticks % TICKS_PER_FIGURES === 0) this.#takeStats();
      },
    });
  }

  get state(): PlayerState {
    return this.#player.state;
  }

  get stats(): HlsStats | null {
    return this.#stats;
  }

  get timings(): Timings {
    return this.#timings;
  }

  open(): void {
    this.#player.open();
  }

  reopen(): void {
    this.#player.reopen();
  }

  close(): void {
    this.#player.close();
  }

  shown(): void {
    this.#around.quality.show(this.#quality);
    this.#takeStats();
  }

  /** What is shown of a recording belongs to no moment of now. */
  #makeSource(): ChatSource {
    const isLive = this.kind === 'hls';
    return {
      channels: null,
      hasChannels: false,
      pictureTime: (startedAt) => {
        const moves = isLive && this.state.name === 'playing' && !this.video.paused;
        const shown = moves ? (this.#engine?.programTimeMs() ?? null) : null;
        return shown === null ? null : shown - startedAt;
      },
      sample: () => ({
        player: 'hls',
        picture: this.video.paused ? 'none' : pictureOf(this.state),
        freezes: 0,
        frozenMs: 0,
        latencyMs: isLive ? (this.#engine?.latencyMs() ?? null) : null,
        height: this.video.videoHeight,
      }),
    };
  }

  get #engine(): Engine | null {
    return this.#player.session?.engine ?? null;
  }

  #openSession(
    signal: AbortSignal,
    onPath: (event: PathEvent) => void,
    onEnded: () => void,
  ): Promise<HlsSession> {
    const { facts } = this.#around;
    this.#timings = { openedAt: performance.now(), firstFrameAt: null };
    return HlsSession.open({
      ...this.#source,
      signal,
      onPath,
      onEnded,
      start: (events) => this.#start(events),
      onLayers: (layers) => {
        this.#quality.sessionOpened(this.#source.url);
        this.#quality.setLayers(layers);
      },
      isLive: () => facts.isLive(),
    });
  }

  async #start(events: EngineEvents): Promise<Engine> {
    await pageLoaded();
    const engine = await makeEngine(this.#source, events);
    void this.#around.stage.play(this.video);
    this.#around.facts.refresh();
    return engine;
  }

  #takeStats(): void {
    const engine = this.#engine;
    if (engine === null) return;
    this.#stats = read(engine, this.video);
    if (this.#around.stage.video !== this.video) return;
    const { latencyMs } = this.#stats;
    const isBehind = this.state.name === 'playing' && latencyMs !== null;
    // How far back a rewound picture is, the seek bar says.
    if (this.kind === 'hls') setText(page.latency, isBehind ? formatBehind(latencyMs) : '');
    if (this.#around.panel.isShown) show(this.#stats);
  }
}

function read(engine: Engine, video: HTMLVideoElement): HlsStats {
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  return {
    player: engine.name,
    latencyMs: engine.latencyMs(),
    bufferMs: (loadedUntil(video) - video.currentTime) * 1_000,
    bitrate: engine.bitrate(),
    bandwidth: engine.bandwidth(),
    faults: engine.faults(),
    video: {
      width: video.videoWidth,
      height: video.videoHeight,
      framesDecoded: totalVideoFrames,
      framesDropped: droppedVideoFrames,
    },
  };
}

function show(stats: HlsStats): void {
  const { video } = stats;
  fillList(byId('stats-list', HTMLDListElement), [
    ['Behind live', formatMs(stats.latencyMs)],
    ['Buffer', formatMs(stats.bufferMs)],
    ['Picture', video.height > 0 ? `${video.width}×${video.height}` : '–'],
    ['Bitrate', stats.bitrate > 0 ? formatBitrate(stats.bitrate) : '–'],
    ['Bandwidth', stats.bandwidth > 0 ? formatBitrate(stats.bandwidth) : '–'],
    ['Frames', `${video.framesDecoded} decoded, ${video.framesDropped} dropped`],
    ['Player', stats.player],
  ]);
}
