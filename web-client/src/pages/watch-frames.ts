import { believed } from '../shared/capture-time.ts';

/** Moments of the newest session in `performance.now()` milliseconds, for those who measure joins. */
export interface Timings {
  openedAt: number;
  firstFrameAt: number | null;
}

/** What the frames on screen tell: when the first one came, and how old the latest one is. */
export class Frames {
  #timings: Timings = { openedAt: performance.now(), firstFrameAt: null };
  #captureAge: number | null = null;

  constructor(video: HTMLVideoElement, onShown: () => void) {
    onEachFrame(video, ({ captureTime, expectedDisplayTime }) => {
      this.#timings.firstFrameAt ??= performance.now();
      this.#captureAge =
        captureTime === undefined ? null : believed(expectedDisplayTime - captureTime);
      onShown();
    });
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
}

function onEachFrame(
  video: HTMLVideoElement,
  shown: (metadata: VideoFrameCallbackMetadata) => void,
): void {
  // Without this API the player still sees decoded frames in its statistics.
  if (!('requestVideoFrameCallback' in video)) return;
  const next: VideoFrameRequestCallback = (_now, metadata) => {
    // A track that ends paints black, which is no frame of the broadcast.
    if (metadata.rtpTimestamp !== undefined) shown(metadata);
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
}
