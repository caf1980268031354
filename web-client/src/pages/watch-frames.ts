import { believed } from '../shared/capture-time.ts';

/** Moments of the newest session in `performance.now()` milliseconds, for those who measure joins. */
export interface Timings {
  openedAt: number;
  firstFrameAt: number | null;
}

/** What the frames on screen tell: when the first one came, and how old the latest one is. `stop` it in the end. */
export class Frames {
  readonly #video: HTMLVideoElement;
  readonly #onShown: (rtpTimestamp: number) => void;
  #timings: Timings = { openedAt: performance.now(), firstFrameAt: null };
  #captureAge: number | null = null;
  #handle = 0;

  constructor(video: HTMLVideoElement, onShown: (rtpTimestamp: number) => void) {
    this.#video = video;
    this.#onShown = onShown;
    this.#follow();
  }

  get timings(): Timings {
    return this.#timings;
  }

  sessionOpens(): void {
    this.#timings = { openedAt: performance.now(), firstFrameAt: null };
  }

  /** Milliseconds since the capture of the latest frame, told once; null if that isn't known. */
  takeCaptureAge(): number | null {
    const age = this.#captureAge;
    this.#captureAge = null;
    return age;
  }

  stop(): void {
    if (this.#handle !== 0) this.#video.cancelVideoFrameCallback(this.#handle);
  }

  #follow(): void {
    // Without this API the player still sees decoded frames in its statistics.
    if (!('requestVideoFrameCallback' in this.#video)) return;
    this.#handle = this.#video.requestVideoFrameCallback((_now, metadata) => {
      this.#follow();
      // A track that ends paints black, which is no frame of the broadcast.
      const { rtpTimestamp } = metadata;
      if (rtpTimestamp !== undefined) this.#shown(metadata, rtpTimestamp);
    });
  }

  #shown(
    { captureTime, expectedDisplayTime }: VideoFrameCallbackMetadata,
    rtpTimestamp: number,
  ): void {
    this.#timings.firstFrameAt ??= performance.now();
    this.#captureAge =
      captureTime === undefined ? null : believed(expectedDisplayTime - captureTime);
    this.#onShown(rtpTimestamp);
  }
}
