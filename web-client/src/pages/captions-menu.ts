import { byId } from '../shared/dom.ts';
import { Menu } from './menu.ts';
import type { Stage } from './stage.ts';

const NO_CAPTIONS = 'off';

/** Which captions are shown, if what plays has any. What the viewer has chosen holds for the stage's next player as well. */
export class CaptionsMenu {
  readonly #stage: Stage;
  readonly #menu: Menu;
  #isOn = false;
  /** What was shown last, for the key that turns captions off and on. */
  #last = 0;
  #isOffered = true;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#menu = new Menu(byId('captions', HTMLElement), 'captions', (id) => {
      this.#choose(id === NO_CAPTIONS ? null : Number(id));
    });
    for (const { textTracks } of [stage.video, stage.spare]) {
      textTracks.addEventListener('addtrack', () => {
        this.#apply();
      });
      for (const type of ['removetrack', 'change'] as const) {
        textTracks.addEventListener(type, () => {
          this.#refresh();
        });
      }
    }
    let video: HTMLVideoElement = stage.video;
    stage.onChange(() => {
      if (video === stage.video) return;
      video = stage.video;
      this.#apply();
    });
    this.#refresh();
  }

  /** Whether what plays may have captions: an element keeps the tracks of a player that it had before. */
  offer(isOffered: boolean): void {
    this.#isOffered = isOffered;
    this.#apply();
  }

  /** Off, or what was on last. */
  toggle(): void {
    const isOn = this.#captions().some(({ mode }) => mode === 'showing');
    this.#choose(isOn ? null : this.#last);
  }

  /** Players also have tracks for data that nobody reads. */
  #captions(): TextTrack[] {
    const tracks = this.#isOffered ? [...this.#stage.video.textTracks] : [];
    return tracks.filter(({ kind }) => kind === 'subtitles' || kind === 'captions');
  }

  #choose(place: number | null): void {
    this.#isOn = place !== null;
    if (place !== null) this.#last = place;
    this.#captions().forEach((track, i) => {
      track.mode = i === place ? 'showing' : 'disabled';
    });
    this.#refresh();
  }

  #apply(): void {
    if (this.#isOn) this.#choose(this.#last);
    else this.#refresh();
  }

  #refresh(): void {
    const tracks = this.#captions();
    const shown = tracks.find(({ mode }) => mode === 'showing');
    const items = tracks.map((track, i) => ({
      id: String(i),
      name: nameOf(track),
      isChecked: track === shown,
    }));
    const off = { id: NO_CAPTIONS, name: 'Off', isChecked: shown === undefined };
    const now = shown === undefined ? 'off' : nameOf(shown);
    this.#menu.show('Captions', now, items.length === 0 ? [] : [off, ...items]);
  }
}

function nameOf({ label, language }: TextTrack): string {
  return label || language || 'Captions';
}
