import { byId } from '../shared/dom.ts';
import { Menu } from './menu.ts';
import type { Stage } from './stage.ts';

const NO_CAPTIONS = 'off';

/** Captions in one language, of what plays. */
interface Choice {
  name: string;
  isOn: boolean;
  set: (isOn: boolean) => void;
}

/**
 * Which captions are shown, if what plays has any: the tracks of its element, or what the chat brings beside a player that has none.
 * What the viewer has chosen holds for the stage's next player as well.
 */
export class CaptionsMenu {
  readonly #stage: Stage;
  readonly #menu: Menu;
  #isOn = false;
  /** What was shown last, for the key that turns captions off and on. */
  #last = 0;
  #isOffered = true;
  #languages: readonly string[] = [];
  #spoken: string | null = null;

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

  /** The language of what the chat brings that is to be shown; null if none is. */
  get spoken(): string | null {
    return this.#isOffered ? null : this.#spoken;
  }

  /** Whether what plays may have captions: an element keeps the tracks of a player that it had before. */
  offer(isOffered: boolean): void {
    this.#isOffered = isOffered;
    this.#apply();
  }

  /** The chat brings captions in these languages, for a player that has none. */
  offerSpoken(languages: readonly string[]): void {
    if (languages.join() === this.#languages.join()) return;
    this.#languages = [...languages];
    this.#apply();
  }

  /** Off, or what was on last. */
  toggle(): void {
    const isOn = this.#choices().some((choice) => choice.isOn);
    this.#choose(isOn ? null : this.#last);
  }

  #choices(): Choice[] {
    return this.#isOffered ? this.#tracks() : this.#languages.map((name) => this.#ofChat(name));
  }

  /** Players also have tracks for data that nobody reads. */
  #tracks(): Choice[] {
    return [...this.#stage.video.textTracks]
      .filter(({ kind }) => kind === 'subtitles' || kind === 'captions')
      .map((track) => ({
        name: track.label || track.language || 'Captions',
        isOn: track.mode === 'showing',
        set: (isOn) => {
          track.mode = isOn ? 'showing' : 'disabled';
        },
      }));
  }

  #ofChat(language: string): Choice {
    return {
      name: languageName(language),
      isOn: this.#spoken === language,
      set: (isOn) => {
        if (isOn) this.#spoken = language;
        else if (this.#spoken === language) this.#spoken = null;
      },
    };
  }

  #choose(place: number | null): void {
    this.#isOn = place !== null;
    if (place !== null) this.#last = place;
    this.#choices().forEach((choice, i) => {
      choice.set(i === place);
    });
    this.#refresh();
  }

  #apply(): void {
    if (this.#isOn) this.#choose(this.#last);
    else this.#refresh();
  }

  #refresh(): void {
    const choices = this.#choices();
    const shown = choices.find(({ isOn }) => isOn);
    const items = choices.map(({ name, isOn }, i) => ({ id: String(i), name, isChecked: isOn }));
    const off = { id: NO_CAPTIONS, name: 'Off', isChecked: shown === undefined };
    const now = shown === undefined ? 'off' : shown.name;
    this.#menu.show('Captions', now, items.length === 0 ? [] : [off, ...items]);
  }
}

function languageName(language: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'language' }).of(language) ?? language;
  } catch {
    return language || 'Captions';
  }
}
