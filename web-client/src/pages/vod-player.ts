import type { Engine } from '../hls/engine.ts';
import { makeEngine } from '../hls/make-engine.ts';
import { loadedUntil } from '../shared/buffered.ts';
import { byId, setText } from '../shared/dom.ts';
import { formatDuration } from '../shared/format.ts';
import type { Chapter } from '../vod/chapters.ts';
import type { Tile } from '../vod/storyboard.ts';
import { CaptionsMenu } from './captions-menu.ts';
import { MediaControls } from './media-controls.ts';
import { Stage } from './stage.ts';
import { Timeline } from './timeline.ts';
import { SpeedMenu } from './vod-menus.ts';
import { QualityMenu, type QualitySource } from './watch-quality.ts';

export interface VodPlayerPorts {
  onPlays: () => void;
  /** It can't go on, or couldn't begin. */
  onFailed: () => void;
  onChapter: (chapter: Chapter | null) => void;
}

/** Plays a recording's playlist, with all that is in the controls. */
export class VodPlayer {
  readonly #stage = new Stage(byId('video', HTMLVideoElement));
  readonly #timeline: Timeline;
  readonly #quality: QualityMenu;
  readonly #qualitySource: QualitySource;
  readonly #ports: VodPlayerPorts;
  #engine: Engine | null = null;
  #isStarting = false;
  /** How long it is as the node says. */
  #knownS = 0;
  #hasChapters = false;
  #hasPlayed = false;

  constructor(ports: VodPlayerPorts) {
    this.#ports = ports;
    const { video } = this.#stage;
    this.#timeline = this.#makeTimeline();
    this.#quality = new QualityMenu('', this.#stage);
    this.#qualitySource = this.#quality.source((_url, { rid }) => {
      this.#engine?.choose(typeof rid === 'string' ? rid : null);
      return Promise.resolve();
    });
    this.#quality.show(this.#qualitySource);
    const speed = new SpeedMenu(video);
    const captions = new CaptionsMenu(this.#stage);
    new MediaControls(this.#stage, this.#keys(speed, captions));
    video.addEventListener('loadeddata', () => {
      this.#hasPlayed = true;
      ports.onPlays();
    });
    // The picture is the largest button there is; a touch only brings the controls back.
    video.addEventListener('click', (event) => {
      const isTouch = event instanceof PointerEvent && event.pointerType === 'touch';
      if (!isTouch) this.#stage.togglePlay();
    });
  }

  get video(): HTMLVideoElement {
    return this.#stage.video;
  }

  /** In seconds: as the media says, or else as the node does. */
  get duration(): number {
    const { duration, seekable } = this.video;
    if (Number.isFinite(duration) && duration > 0) return duration;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : this.#knownS;
  }

  /** When what is shown was on air, in Unix milliseconds; null where the player can't tell. */
  get programTimeMs(): number | null {
    return this.#engine?.programTimeMs() ?? null;
  }

  get engineName(): string | null {
    return this.#engine?.name ?? null;
  }

  /** What it looks like before it plays. */
  setPoster(url: string): void {
    if (this.video.poster !== url) this.video.poster = url;
  }

  describe(durationMs: number, chapters: readonly Chapter[], tiles: readonly Tile[]): void {
    this.#knownS = durationMs / 1000;
    this.#hasChapters = chapters.length > 1;
    this.#timeline.describe(chapters, tiles);
  }

  /** Goes to a moment, or to the nearest that there is, and plays from there. */
  seekTo(seconds: number): void {
    this.#jumpTo(seconds);
    if (this.video.paused) void this.#stage.play(this.video);
  }

  /** Begins to play, unless it plays. After a failure it goes on where it was. */
  async start(url: string, token: string, startAt: number): Promise<void> {
    if (this.#engine !== null || this.#isStarting) return;
    this.#isStarting = true;
    const { video } = this;
    const source = { video, url, token, startAt: this.#hasPlayed ? video.currentTime : startAt };
    try {
      this.#engine = await makeEngine(source, {
        onLayers: (layers) => {
          this.#qualitySource.sessionOpened(url);
          this.#qualitySource.setLayers(layers);
        },
        onEnded: () => undefined,
        onFailed: () => {
          this.#fail();
        },
      });
      await this.#stage.play(video);
    } catch {
      this.#fail();
    } finally {
      this.#isStarting = false;
    }
  }

  #jumpTo(seconds: number): void {
    this.video.currentTime = Math.min(Math.max(seconds, 0), Math.max(this.duration - 0.1, 0));
    this.#timeline.refresh();
  }

  #makeTimeline(): Timeline {
    const { video } = this;
    const [time, chapterNow] = [byId('time', HTMLElement), byId('chapter-now', HTMLElement)];
    return new Timeline({
      position: () => video.currentTime,
      duration: () => this.duration,
      loadedUntil: () => loadedUntil(video),
      seekTo: (seconds) => {
        this.#jumpTo(seconds);
      },
      moment: clock,
      spoken: (seconds, duration) => `${clock(seconds)} of ${clock(duration)}`,
      onShown: (position, duration, chapter) => {
        setText(time, `${clock(position)} / ${clock(duration)}`);
        setText(chapterNow, this.#hasChapters ? (chapter?.title ?? '') : '');
        this.#ports.onChapter(chapter);
      },
    });
  }

  #fail(): void {
    this.#engine?.destroy();
    this.#engine = null;
    this.#ports.onFailed();
  }

  #keys(speed: SpeedMenu, captions: CaptionsMenu): Record<string, () => void> {
    const skip = (seconds: number) => () => {
      this.#jumpTo(this.video.currentTime + seconds);
    };
    const tenths = Array.from({ length: 10 }, (_, tenth) => [
      String(tenth),
      () => {
        this.#jumpTo((this.duration * tenth) / 10);
      },
    ]);
    return {
      ...(Object.fromEntries(tenths) as Record<string, () => void>),
      arrowleft: skip(-5),
      arrowright: skip(5),
      j: skip(-10),
      l: skip(10),
      k: () => {
        this.#stage.togglePlay();
      },
      c: () => {
        captions.toggle();
      },
      q: () => {
        this.#quality.toggle();
      },
      '<': () => {
        speed.step(-1);
      },
      '>': () => {
        speed.step(1);
      },
    };
  }
}

function clock(seconds: number): string {
  return formatDuration(seconds * 1000);
}
