import { byId } from '../shared/dom.ts';
import { Menu } from './menu.ts';

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2] as const;
const NO_CAPTIONS = 'off';

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

/** Which captions are shown, if the recording has any. */
export class CaptionsMenu {
  readonly #tracks: TextTrackList;
  readonly #menu: Menu;
  /** What was shown last, for the key that turns captions off and on. */
  #last = 0;

  constructor(video: HTMLVideoElement) {
    this.#tracks = video.textTracks;
    this.#menu = new Menu(byId('captions', HTMLElement), 'captions', (id) => {
      this.#choose(id === NO_CAPTIONS ? null : Number(id));
    });
    for (const type of ['addtrack', 'removetrack', 'change'] as const) {
      this.#tracks.addEventListener(type, () => {
        this.#refresh();
      });
    }
    this.#refresh();
  }

  /** Off, or what was on last. */
  toggle(): void {
    const isOn = this.#captions().some(({ mode }) => mode === 'showing');
    this.#choose(isOn ? null : this.#last);
  }

  /** Players also have tracks for data that nobody reads. */
  #captions(): TextTrack[] {
    return [...this.#tracks].filter(({ kind }) => kind === 'subtitles' || kind === 'captions');
  }

  #choose(place: number | null): void {
    if (place !== null) this.#last = place;
    this.#captions().forEach((track, i) => {
      track.mode = i === place ? 'showing' : 'disabled';
    });
    this.#refresh();
  }

  #refresh(): void {
    const tracks = this.#captions();
    const shown = tracks.find(({ mode }) => mode === 'showing');
    const items = tracks.map((track, i) => ({
      id: String(i),
      name: nameOfTrack(track),
      isChecked: track === shown,
    }));
    const off = { id: NO_CAPTIONS, name: 'Off', isChecked: shown === undefined };
    const now = shown === undefined ? 'off' : nameOfTrack(shown);
    this.#menu.show('Captions', now, items.length === 0 ? [] : [off, ...items]);
  }
}

function nameOf(speed: number): string {
  return `${speed}×`;
}

function nameOfTrack({ label, language }: TextTrack): string {
  return label || language || 'Captions';
}
