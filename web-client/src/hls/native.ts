import { plausible, type Engine, type EngineEvents, type Source } from './engine.ts';

/** Safari tells when the first picture was on air. */
type DatedVideo = HTMLVideoElement & { getStartDate?: () => Date };

/** Whether the browser plays HLS by itself. */
export function canPlayNatively(video: HTMLVideoElement): boolean {
  return video.canPlayType('application/vnd.apple.mpegurl') !== '';
}

/** Plays with what the browser has. It chooses the size by itself. */
export class Native implements Engine {
  readonly name = 'browser';
  readonly #video: DatedVideo;
  readonly #abort = new AbortController();

  constructor({ video, url, token, startAt }: Source, events: EngineEvents) {
    this.#video = video;
    const { signal } = this.#abort;
    video.addEventListener(
      'ended',
      () => {
        events.onEnded();
      },
      { signal },
    );
    video.addEventListener(
      'error',
      () => {
        events.onFailed();
      },
      { signal },
    );
    if (startAt !== undefined) {
      video.addEventListener(
        'loadedmetadata',
        () => {
          video.currentTime = startAt;
        },
        { signal, once: true },
      );
    }
    // It can't be told to send a header.
    video.src = token === '' ? url : `${url}?${new URLSearchParams({ token }).toString()}`;
  }

  choose(): void {
    // Nothing to choose from.
  }

  programTimeMs(): number | null {
    const start = this.#video.getStartDate?.().getTime() ?? NaN;
    const shown = start + this.#video.currentTime * 1_000;
    return Number.isNaN(shown) ? null : shown;
  }

  latencyMs(): number | null {
    const shown = this.programTimeMs();
    return shown === null ? null : plausible(Date.now() - shown);
  }

  bitrate(): number {
    return 0;
  }

  bandwidth(): number {
    return 0;
  }

  /** What fails it doesn't mend. */
  faults(): number {
    return 0;
  }

  destroy(): void {
    this.#abort.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}
