/** How long nothing may be decoded before the picture counts as stopped. */
const STALL_MS = 3_000;
/** How long sound alone must run before a broadcast counts as one without picture. */
const SOUND_ONLY_MS = 3_000;

/** How far the media of a session has got. */
export interface MediaProgress {
  framesDecoded: number;
  videoPackets: number;
  audioPackets: number;
}

export type MediaNews = 'media-flows' | 'media-stalled' | null;

/**
 * Tells from growing counters whether media flows. One for each session; call `observe` every second or so. Time is
 * passed in, in milliseconds.
 */
export class MediaWatch {
  #last: MediaProgress = { framesDecoded: 0, videoPackets: 0, audioPackets: 0 };
  #lastProgressAt: number | null = null;
  #soundSince: number | null = null;

  /** `hidden` says that the page is in the background, where browsers may decode no frames. */
  observe(now: number, progress: MediaProgress, hidden: boolean): MediaNews {
    const flows = this.#progressed(now, progress, hidden);
    this.#last = progress;
    if (flows) {
      this.#lastProgressAt = now;
      return 'media-flows';
    }
    if (this.#lastProgressAt !== null && now - this.#lastProgressAt >= STALL_MS) {
      this.#lastProgressAt = null;
      this.#soundSince = null;
      return 'media-stalled';
    }
    return null;
  }

  /** A frame was shown: the quickest sign of all. */
  frameShown(now: number): void {
    this.#lastProgressAt = now;
  }

  #progressed(now: number, progress: MediaProgress, hidden: boolean): boolean {
    if (progress.framesDecoded > this.#last.framesDecoded) return true;
    const hadPicture = progress.framesDecoded > 0;
    if (hidden && hadPicture && progress.videoPackets > this.#last.videoPackets) return true;
    if (hadPicture || progress.videoPackets > 0) return false;
    if (progress.audioPackets <= this.#last.audioPackets) return false;
    this.#soundSince ??= now;
    return now - this.#soundSince >= SOUND_ONLY_MS;
  }
}
