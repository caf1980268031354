import { byId, dress } from '../shared/dom.ts';
import type { Stage } from './stage.ts';

/** How long the pointer must rest before the controls step aside. */
const CALM_MS = 2_500;
const VOLUME_KEY = 'spillway-volume';

/** What else a page's keys do, by their names in lower case. */
export type Keys = Readonly<Record<string, () => void>>;

/** The buttons under the picture that every player has, their keys, and sound. */
export class MediaControls {
  readonly #player = byId('player', HTMLElement);
  readonly #play = byId('play', HTMLButtonElement);
  readonly #mute = byId('mute', HTMLButtonElement);
  readonly #volume = byId('volume', HTMLInputElement);
  readonly #unmute = byId('unmute', HTMLButtonElement);
  readonly #pip = byId('pip', HTMLButtonElement);
  readonly #fullscreen = byId('fullscreen', HTMLButtonElement);
  readonly #stage: Stage;
  readonly #keys: Keys;
  #calmTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(stage: Stage, keys: Keys) {
    this.#stage = stage;
    this.#keys = {
      ' ': () => {
        stage.togglePlay();
      },
      m: () => {
        this.#setMuted(!stage.video.muted);
      },
      f: () => void this.#toggleFullscreen(),
      ...keys,
    };
    stage.onSilenced = () => {
      this.#unmute.hidden = false;
    };
    this.#restoreVolume();
    this.#listenToButtons();
    this.#listenToPlayer();
    this.#pip.hidden = !document.pictureInPictureEnabled;
    this.#refresh();
    this.wake();
  }

  /** Shows the controls, for a while. */
  wake(): void {
    this.#player.classList.remove('calm');
    clearTimeout(this.#calmTimer);
    this.#calmTimer = setTimeout(() => {
      const { state } = document.documentElement.dataset;
      const menu = this.#player.querySelector('[aria-expanded="true"]');
      const moves = state === 'playing' && !this.#stage.video.paused;
      if (moves && menu === null) this.#player.classList.add('calm');
    }, CALM_MS);
  }

  #listenToButtons(): void {
    this.#play.addEventListener('click', () => {
      this.#stage.togglePlay();
    });
    this.#mute.addEventListener('click', () => {
      this.#setMuted(!this.#stage.video.muted);
    });
    this.#unmute.addEventListener('click', () => {
      this.#setMuted(false);
      this.#mute.focus();
    });
    this.#volume.addEventListener('input', () => {
      const volume = this.#volume.valueAsNumber / 100;
      this.#stage.setVolume(volume);
      this.#setMuted(volume === 0);
    });
    this.#pip.addEventListener('click', () => void this.#togglePip());
    this.#fullscreen.addEventListener('click', () => void this.#toggleFullscreen());
  }

  #listenToPlayer(): void {
    this.#stage.onChange(() => {
      this.#refresh();
    });
    this.#player.addEventListener('dblclick', ({ target }) => {
      if (target instanceof HTMLVideoElement) void this.#toggleFullscreen();
    });
    document.addEventListener('fullscreenchange', () => {
      this.#refresh();
    });
    document.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    for (const type of ['pointermove', 'pointerdown', 'focusin'] as const) {
      this.#player.addEventListener(type, () => {
        this.wake();
      });
    }
  }

  #key(event: KeyboardEvent): void {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target instanceof Element && target.closest('input, textarea, select, dialog')) return;
    // A focused button answers to the space bar itself.
    if (event.key === ' ' && target instanceof HTMLButtonElement) return;
    const action = this.#keys[event.key.toLowerCase()];
    if (action === undefined) return;
    event.preventDefault();
    this.wake();
    action();
  }

  #setMuted(muted: boolean): void {
    const { video } = this.#stage;
    this.#stage.setMuted(muted);
    if (!muted && video.volume === 0) this.#stage.setVolume(0.5);
    this.#unmute.hidden = true;
    localStorage.setItem(VOLUME_KEY, String(video.volume));
  }

  #restoreVolume(): void {
    const saved = Number(localStorage.getItem(VOLUME_KEY) ?? 1);
    if (saved > 0 && saved <= 1) this.#stage.setVolume(saved);
  }

  async #togglePip(): Promise<void> {
    try {
      if (document.pictureInPictureElement !== null) await document.exitPictureInPicture();
      else await this.#stage.video.requestPictureInPicture();
    } catch {
      // There is no picture yet, or the browser wants a fresh click.
    }
  }

  async #toggleFullscreen(): Promise<void> {
    try {
      if (document.fullscreenElement !== null) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await this.#player.requestFullscreen();
      else this.#stage.video.webkitEnterFullscreen?.();
    } catch {
      // The browser wants a fresh click.
    }
  }

  #refresh(): void {
    const { ended, muted, paused, volume } = this.#stage.video;
    if (ended) dress(this.#play, 'replay', 'Play again');
    else if (paused) dress(this.#play, 'play', 'Play');
    else dress(this.#play, 'pause', 'Pause');
    if (muted) dress(this.#mute, 'muted', 'Unmute');
    else dress(this.#mute, 'sound', 'Mute');
    this.#volume.value = String(muted ? 0 : Math.round(volume * 100));
    dress(this.#pip, 'pip', 'Picture in picture');
    if (document.fullscreenElement === null) dress(this.#fullscreen, 'fullscreen', 'Full screen');
    else dress(this.#fullscreen, 'leave', 'Leave full screen');
  }
}
