import { byId } from '../shared/dom.ts';
import { Menu } from './menu.ts';

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2] as const;

/** How fast it plays. */
export class SpeedMenu {
  readonly #video: HTMLVideoElement;
  readonly #menu: Menu;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    this.#menu = new Menu(byId('speed', HTMLElement), 'speed', (id) => {
      this.#set(Number(id));
    });
    video.addEventListener('ratechange', () => {
      this.#refresh();
    });
    // A player that loads its source anew begins at the usual speed.
    video.addEventListener('loadedmetadata', () => {
      video.playbackRate = video.defaultPlaybackRate;
    });
    this.#refresh();
  }

  /** The next speed that is faster (1) or slower (-1). */
  step(direction: 1 | -1): void {
    const place = SPEEDS.findIndex((speed) => speed === this.#video.playbackRate);
    const next = SPEEDS[(place < 0 ? SPEEDS.indexOf(1) : place) + direction];
    if (next !== undefined) this.#set(next);
  }

  #set(speed: number): void {
    this.#video.defaultPlaybackRate = speed;
    this.#video.playbackRate = speed;
  }

  #refresh(): void {
    const now = this.#video.playbackRate;
    const items = SPEEDS.map((speed) => ({
      id: String(speed),
      name: nameOf(speed),
      isChecked: speed === now,
    }));
    this.#menu.show('Speed', nameOf(now), items);
  }
}

function nameOf(speed: number): string {
  return `${speed}×`;
}
