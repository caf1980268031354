import Hls, {
  ErrorDetails,
  ErrorTypes,
  Events,
  type ErrorData,
  type HlsConfig,
  type Level,
} from 'hls.js';
import type { VideoLayer } from '../whep/layers.ts';
import { loadedUntil } from '../shared/buffered.ts';
import { plausible, type Engine, type EngineEvents, type Source } from './engine.ts';
import { behindHole, rangesOf } from './hole.ts';
import { LiveSync } from './live-sync.ts';
import { programTimeAt } from './program-time.ts';
import { Recovery, type Fault } from './recovery.ts';

/** What was shown is kept for so long, in seconds: live, and of a recording, where viewers go back. */
const BACK_BUFFER_S = 30;
const RECORDED_BACK_BUFFER_S = 90;
/** How often a live player's place is looked at. */
const LOOK_MS = 250;
/** A browser that seeks for longer in what is loaded waits for what isn't there. */
const SEEK_MS = 500;

const LIVE: Partial<HlsConfig> = {
  lowLatencyMode: true,
  backBufferLength: BACK_BUFFER_S,
  // `LiveSync` does that.
  maxLiveSyncPlaybackRate: 1,
  liveSyncOnStallIncrease: 0,
};
const RECORDED: Partial<HlsConfig> = {
  lowLatencyMode: false,
  backBufferLength: RECORDED_BACK_BUFFER_S,
};

/** Whether hls.js can play here. */
export function canPlay(): boolean {
  return Hls.isSupported();
}

/** Plays with hls.js. */
export class HlsJs implements Engine {
  readonly name = `hls.js ${Hls.version}`;
  readonly #hls: Hls;
  readonly #video: HTMLVideoElement;
  readonly #events: EngineEvents;
  readonly #recovery = new Recovery();
  readonly #abort = new AbortController();
  readonly #isLive: boolean;
  /** What each request has. */
  readonly #headers: Readonly<Record<string, string>>;
  readonly #sync = new LiveSync();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  #seeking: ReturnType<typeof setInterval> | undefined;
  #choice = new AbortController();
  #hasShown = false;
  #faults = 0;

  constructor({ video, url, token, startAt }: Source, events: EngineEvents) {
    this.#video = video;
    this.#headers = token === '' ? {} : { Authorization: `Bearer ${token}` };
    this.#events = events;
    this.#isLive = startAt === undefined;
    this.#hls = new Hls({
      ...(startAt === undefined ? LIVE : { ...RECORDED, startPosition: startAt }),
      enableWorker: false,
      xhrSetup: (request) => {
        for (const [name, value] of Object.entries(this.#headers))
          request.setRequestHeader(name, value);
      },
    });
    this.#listen();
    this.#hls.loadSource(url);
    this.#hls.attachMedia(video);
  }

  choose(rid: string | null): void {
    this.#choice.abort();
    this.#choice = new AbortController();
    if (rid === null) this.#hls.loadLevel = -1;
    else if (this.#isLive) void this.#chooseOnceMade(Number(rid), this.#choice.signal);
    else this.#hls.nextLevel = Number(rid);
  }

  programTimeMs(): number | null {
    const hls = this.#hls;
    if (this.#isLive) return hls.playingDate?.getTime() ?? null;
    // Of a recording by its playlist, which has all of it: so it's known where one seeks to before that is loaded.
    return programTimeAt(hls.latestLevelDetails?.fragments ?? [], this.#video.currentTime);
  }

  latencyMs(): number | null {
    const shown = this.programTimeMs();
    const byClock = shown === null ? null : plausible(Date.now() - shown);
    // Without the programme's date: behind the end of the playlist.
    const { latency } = this.#hls;
    return byClock ?? (latency > 0 ? latency * 1_000 : null);
  }

  bitrate(): number {
    return this.#hls.levels[this.#hls.currentLevel]?.bitrate ?? 0;
  }

  bandwidth(): number {
    const estimate = this.#hls.bandwidthEstimate;
    return Number.isFinite(estimate) ? estimate : 0;
  }

  faults(): number {
    return this.#faults;
  }

  destroy(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    clearInterval(this.#seeking);
    this.#choice.abort();
    this.#abort.abort();
    this.#hls.destroy();
    // Of a recording the viewer chose it.
    if (this.#isLive) this.#video.playbackRate = 1;
  }

  #listen(): void {
    const hls = this.#hls;
    hls.on(Events.MANIFEST_PARSED, () => {
      this.#keepOneSound();
      this.#events.onLayers(hls.levels.flatMap(layerOf));
    });
    hls.on(Events.LEVEL_LOADED, (_event, { details }) => {
      this.#recovery.loaded();
      // One that was over before it began here.
      if (this.#isLive && !details.live && !this.#hasShown) this.#events.onEnded();
    });
    hls.on(Events.ERROR, (_event, error) => {
      if (error.details === ErrorDetails.BUFFER_STALLED_ERROR)
        this.#sync.stalled(performance.now());
      if (error.fatal) this.#mend(error);
    });
    const { signal } = this.#abort;
    this.#video.addEventListener(
      'ended',
      () => {
        this.#events.onEnded();
      },
      { signal },
    );
    this.#video.addEventListener(
      'timeupdate',
      () => {
        this.#hasShown = true;
      },
      { signal },
    );
    this.#video.addEventListener(
      'seeking',
      () => {
        clearInterval(this.#seeking);
        this.#seeking = setInterval(() => {
          this.#endSeek();
        }, SEEK_MS);
      },
      { signal },
    );
    if (!this.#isLive) return;
    this.#looking = setInterval(() => {
      this.#keepLive();
    }, LOOK_MS);
  }

  /**
   * A rendition may be made on demand, and its playlist is answered once it is there. hls.js loads nothing while it waits for that: near
   * live the picture would stand.
   */
  async #chooseOnceMade(level: number, signal: AbortSignal): Promise<void> {
    const url = this.#hls.levels[level]?.uri;
    // What can't be had is hls.js's to deal with.
    if (url !== undefined) {
      const answer = fetch(url, { headers: this.#headers, signal });
      await answer.then((playlist) => playlist.text()).catch(() => undefined);
    }
    if (!signal.aborted) this.#hls.nextLevel = level;
  }

  #endSeek(): void {
    const video = this.#video;
    const to = video.seeking ? behindHole(rangesOf(video), video.currentTime) : null;
    // A little behind its edge, however that is rounded.
    if (to !== null) video.currentTime = to + 0.001;
    else if (!video.seeking) clearInterval(this.#seeking);
  }

  /** Of pictures that come with AAC and with Opus beside them, as the same rendition twice, those with Opus are left out. */
  #keepOneSound(): void {
    const { levels } = this.#hls;
    if (levels.every(hasOpus)) return;
    for (let place = levels.length - 1; place >= 0; place -= 1) {
      if (hasOpus(levels[place])) this.#hls.removeLevel(place);
    }
  }

  #keepLive(): void {
    const { latestLevelDetails: details, targetLatency } = this.#hls;
    const { currentTime, paused } = this.#video;
    const step = this.#sync.observe(performance.now(), {
      position: currentTime,
      isPaused: paused,
      behind: details?.live === true ? { s: details.edge - currentTime, ageS: details.age } : null,
      target: targetLatency ?? 0,
      ahead: loadedUntil(this.#video) - currentTime,
    });
    switch (step.name) {
      case 'play':
        if (this.#video.playbackRate !== step.rate) this.#video.playbackRate = step.rate;
        break;
      case 'jump':
        this.#goLive();
        break;
      case 'load-anew':
        this.#faults += 1;
        this.#hls.stopLoad();
        this.#hls.startLoad(this.#goLive());
        break;
      case 'begin-anew':
        this.#faults += 1;
        this.#recoverMedia();
        break;
      case 'give-up':
        this.#events.onFailed();
    }
  }

  /** Gives where that is, in seconds. */
  #goLive(): number {
    const live = this.#hls.liveSyncPosition ?? this.#video.currentTime;
    this.#video.currentTime = live;
    return live;
  }

  #mend(error: ErrorData): void {
    this.#faults += 1;
    // hls.js has nothing to load anew without a playlist of playlists.
    const fault = this.#hls.levels.length === 0 ? 'other' : faultOf(error);
    const remedy = this.#recovery.remedy(fault, performance.now());
    switch (remedy.name) {
      case 'load-again':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#hls.startLoad();
        }, remedy.inMs);
        break;
      case 'swap-audio':
        this.#hls.swapAudioCodec();
        this.#recoverMedia();
        break;
      case 'recover-media':
        this.#recoverMedia();
        break;
      case 'give-up':
        this.#events.onFailed();
    }
  }

  /** The element begins anew, and pauses at that. */
  #recoverMedia(): void {
    const played = !this.#video.paused;
    this.#hls.recoverMediaError();
    if (played) void this.#video.play().catch(() => undefined);
  }
}

function faultOf({ type }: ErrorData): Fault {
  if (type === ErrorTypes.NETWORK_ERROR) return 'network';
  return type === ErrorTypes.MEDIA_ERROR ? 'media' : 'other';
}

function hasOpus(level: Level | undefined): boolean {
  return level?.audioCodec === 'opus';
}

/** A rendition as a choice; one without a picture is none. */
function layerOf({ width, height, bitrate }: Level, place: number): VideoLayer[] {
  if (height === 0) return [];
  return [{ mediaId: '', rid: String(place), spatial: null, bitrate, width, height }];
}
