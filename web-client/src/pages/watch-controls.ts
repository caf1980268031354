import { byId, dress } from '../shared/dom.ts';

/** How long the pointer must rest before the controls step aside. */
const CALM_MS = 2_500;
const VOLUME_KEY = 'spillway-volume';

/** Safari on iPhones has full screen only for the video itself. */
type PhoneVideo = HTMLVideoElement & { webkitEnterFullscreen?: () => void };

/** The buttons under the picture, their keys, and sound. */
export class Controls {
  readonly #player = byId('player', HTMLElement);
  readonly #video: PhoneVideo = byId('video', HTMLVideoElement);
  readonly #play = byId('play', HTMLButtonElement);
  readonly #mute = byId('mute', HTMLButtonElement);
  readonly #volume = byId('volume', HTMLInputElement);
  readonly #unmute = byId('unmute', HTMLButtonElement);
  readonly #stats = byId('stats', HTMLElement);
  readonly #statsToggle = byId('stats-toggle', HTMLButtonElement);
  readonly #pip = byId('pip', HTMLButtonElement);
  readonly #fullscreen = byId('fullscreen', HTMLButtonElement);
  readonly #quality: { toggle: () => void };
  #calmTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(quality: { toggle: () => void }) {
    this.#quality = quality;
    this.#restoreVolume();
    this.#listenToButtons();
    this.#listenToVideo();
    document.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    for (const type of ['pointermove', 'pointerdown', 'focusin'] as const) {
      this.#player.addEventListener(type, () => {
        this.#wake();
      });
    }
    this.#pip.hidden = !document.pictureInPictureEnabled;
    this.#refresh();
    this.#wake();
  }

  get statsShown(): boolean {
    return !this.#stats.hidden;
  }

  /** Plays with sound if the browser lets us, else without, and offers the sound with a button. */
  async startPlayback(): Promise<void> {
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      this.#video.muted = true;
      this.#unmute.hidden = false;
      await this.#video.play().catch(() => undefined);
    }
    this.#refresh();
  }

  #listenToButtons(): void {
    this.#play.addEventListener('click', () => {
      this.#togglePlay();
    });
    this.#mute.addEventListener('click', () => {
      this.#setMuted(!this.#video.muted);
    });
    this.#unmute.addEventListener('click', () => {
      this.#setMuted(false);
      this.#mute.focus();
    });
    this.#volume.addEventListener('input', () => {
      this.#video.volume = this.#volume.valueAsNumber / 100;
      this.#setMuted(this.#video.volume === 0);
    });
    this.#statsToggle.addEventListener('click', () => {
      this.#toggleStats();
    });
    this.#pip.addEventListener('click', () => void this.#togglePip());
    this.#fullscreen.addEventListener('click', () => void this.#toggleFullscreen());
  }

  #listenToVideo(): void {
    for (const type of ['play', 'pause', 'volumechange'] as const) {
      this.#video.addEventListener(type, () => {
        this.#refresh();
      });
    }
    this.#video.addEventListener('dblclick', () => void this.#toggleFullscreen());
    document.addEventListener('fullscreenchange', () => {
      this.#refresh();
    });
  }

  #key(event: KeyboardEvent): void {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target instanceof HTMLInputElement)
      return;
    // A focused button answers to the space bar itself.
    if (event.key === ' ' && target instanceof HTMLButtonElement) return;
    const actions: Readonly<Record<string, () => void>> = {
      ' ': () => {
        this.#togglePlay();
      },
      m: () => {
        this.#setMuted(!this.#video.muted);
      },
      f: () => void this.#toggleFullscreen(),
      s: () => {
        this.#toggleStats();
      },
      q: () => {
        this.#quality.toggle();
      },
    };
    const action = actions[event.key.toLowerCase()];
    if (action === undefined) return;
    event.preventDefault();
    this.#wake();
    action();
  }

  /** A live picture doesn't wait: after a pause it goes on at the live edge. */
  #togglePlay(): void {
    if (this.#video.paused) void this.startPlayback();
    else this.#video.pause();
  }

  #setMuted(muted: boolean): void {
    this.#video.muted = muted;
    if (!muted && this.#video.volume === 0) this.#video.volume = 0.5;
    this.#unmute.hidden = true;
    localStorage.setItem(VOLUME_KEY, String(this.#video.volume));
  }

  #restoreVolume(): void {
    const saved = Number(localStorage.getItem(VOLUME_KEY) ?? 1);
    if (saved > 0 && saved <= 1) this.#video.volume = saved;
  }

  #toggleStats(): void {
    this.#stats.hidden = !this.#stats.hidden;
    this.#refresh();
  }

  async #togglePip(): Promise<void> {
    try {
      if (document.pictureInPictureElement === null) await this.#video.requestPictureInPicture();
      else await document.exitPictureInPicture();
    } catch {
      // There is no picture yet, or the browser wants a fresh click.
    }
  }

  async #toggleFullscreen(): Promise<void> {
    try {
      if (document.fullscreenElement !== null) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await this.#player.requestFullscreen();
      else this.#video.webkitEnterFullscreen?.();
    } catch {
      // The browser wants a fresh click.
    }
  }

  #refresh(): void {
    const { muted, paused, volume } = this.#video;
    if (paused) dress(this.#play, 'play', 'Play');
    else dress(this.#play, 'pause', 'Pause');
    if (muted) dress(this.#mute, 'muted', 'Unmute');
    else dress(this.#mute, 'sound', 'Mute');
    this.#volume.value = String(muted ? 0 : Math.round(volume * 100));
    dress(this.#statsToggle, 'stats', 'Statistics');
    this.#statsToggle.setAttribute('aria-pressed', String(this.statsShown));
    dress(this.#pip, 'pip', 'Picture in picture');
    if (document.fullscreenElement === null) dress(this.#fullscreen, 'fullscreen', 'Full screen');
    else dress(this.#fullscreen, 'leave', 'Leave full screen');
  }

  #wake(): void {
    this.#player.classList.remove('calm');
    clearTimeout(this.#calmTimer);
    this.#calmTimer = setTimeout(() => {
      const playing = document.documentElement.dataset.state === 'playing';
      const menu = this.#player.querySelector('[aria-expanded="true"]');
      if (playing && !this.#video.paused && menu === null) this.#player.classList.add('calm');
    }, CALM_MS);
  }
}
