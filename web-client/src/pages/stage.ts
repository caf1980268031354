import { byId } from '../shared/dom.ts';

/** Safari on iPhones has full screen only for the video itself. */
export type PhoneVideo = HTMLVideoElement & {
  webkitEnterFullscreen?: () => void;
  webkitDisplayingFullscreen?: boolean;
};

const EVENTS = ['play', 'pause', 'ended', 'volumechange', 'resize'] as const;

/**
 * Where the picture is: the element that is seen and heard, and a second one under it, muted, in which another player gets ready.
 * What the viewer has set (sound, volume, pause, picture in picture) belongs to the stage and goes from one to the other.
 */
export class Stage {
  #shown: PhoneVideo;
  #spare: PhoneVideo;
  #isPaused = false;
  readonly #listeners: (() => void)[] = [];
  /** The browser plays only without sound until the viewer asks for it. */
  onSilenced: () => void = () => undefined;

  /** A page with one player has no use for a second element. */
  constructor(shown: HTMLVideoElement, spare = document.createElement('video')) {
    this.#shown = shown;
    this.#spare = spare;
    for (const video of [shown, spare]) {
      for (const type of EVENTS) {
        video.addEventListener(type, () => {
          if (video === this.#shown) this.#changed();
        });
      }
    }
  }

  static ofPage(): Stage {
    return new Stage(byId('video', HTMLVideoElement), byId('spare', HTMLVideoElement));
  }

  /** What is seen and heard. */
  get video(): PhoneVideo {
    return this.#shown;
  }

  /** What isn't. */
  get spare(): PhoneVideo {
    return this.#spare;
  }

  /** Whether the viewer has stopped the picture. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the element itself fills a phone's screen: another one can't take its place there. */
  get isHeld(): boolean {
    return this.#shown.webkitDisplayingFullscreen === true;
  }

  /** Calls back when something of what is shown has changed: its size, its sound, whether it plays, or the element. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Lets an element play what it was given: with sound if it's shown and the browser lets us, else without. */
  async play(video: HTMLVideoElement): Promise<void> {
    if (video === this.#spare) video.muted = true;
    else if (this.#isPaused) return;
    try {
      await video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      video.muted = true;
      if (video === this.#shown) this.onSilenced();
      await video.play().catch(() => undefined);
    }
    this.#changed();
  }

  /** A live picture doesn't wait: after a pause it goes on at the live edge. */
  togglePlay(): void {
    this.#isPaused = !this.#shown.paused;
    if (this.#isPaused) this.#shown.pause();
    else void this.play(this.#shown);
  }

  /** What is shown next plays, whether the viewer had stopped the picture or not. */
  resume(): void {
    this.#isPaused = false;
  }

  setMuted(muted: boolean): void {
    this.#shown.muted = muted;
    // Safari lets an element sound only after the viewer's touch has reached that element: this is the moment for the other one.
    const isEmpty = this.#spare.srcObject === null && !this.#spare.hasAttribute('src');
    if (!muted && isEmpty) this.#spare.load();
  }

  setVolume(volume: number): void {
    this.#shown.volume = volume;
  }

  /** The spare element is seen and heard from now on, as the other one was. */
  swap(): void {
    const [before, now] = [this.#shown, this.#spare];
    [this.#shown, this.#spare] = [now, before];
    now.volume = before.volume;
    now.muted = before.muted;
    before.muted = true;
    [now.id, before.id] = [before.id, now.id];
    before.setAttribute('aria-hidden', 'true');
    now.removeAttribute('aria-hidden');
    if (this.#isPaused) now.pause();
    else if (now.paused || !now.muted) void this.play(now);
    // Without a fresh click that is allowed while the page has such a picture already.
    if (document.pictureInPictureElement === before) {
      void now.requestPictureInPicture().catch(() => undefined);
    }
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
