import { byId } from '../shared/dom.ts';
import { detailOf, linesOf, type VideoLayer } from '../whep/layers.ts';
import { QualityChoice, type QualityPorts } from '../whep/quality.ts';
import { Menu } from './menu.ts';
import type { Stage } from './stage.ts';

const AUTOMATIC = '';

/** What the menu shows, for tests and the curious. */
export interface QualityView {
  /** What plays, as the button says it. */
  now: string;
  /** The chosen quality, or null for automatic. */
  chosen: string | null;
  names: string[];
}

/** The menu of qualities: automatic, and each size that the broadcast has. */
export class QualityMenu {
  readonly #stage: Stage;
  readonly #menu: Menu;
  readonly #choice: QualityChoice;
  #source: QualitySource | null = null;

  constructor(linked: string, stage: Stage) {
    this.#stage = stage;
    this.#choice = new QualityChoice(linked, {
      onChange: () => {
        this.#refresh();
      },
      storage: localStorage,
      post: (url, choice) => this.#source?.post(url, choice) ?? Promise.resolve(),
    });
    this.#menu = new Menu(byId('quality', HTMLElement), 'quality', (id) => {
      const picked = this.#choice.qualities.find((quality) => quality.id === id);
      this.#choice.choose(picked ?? null);
    });
    stage.onChange(() => {
      this.#refresh();
    });
  }

  get view(): QualityView {
    const { chosen, qualities } = this.#choice;
    return {
      now: this.#text(),
      chosen: chosen?.name ?? null,
      names: qualities.map(({ name }) => name),
    };
  }

  toggle(): void {
    this.#menu.toggle();
  }

  /** The qualities of one player, shown once that is. */
  source(post: QualityPorts['post']): QualitySource {
    return new QualitySource(post, (source, news) => {
      if (source === this.#source) news(this.#choice);
    });
  }

  show(source: QualitySource): void {
    this.#source = source;
    this.#choice.playerChanged();
    source.tellAll();
  }

  #refresh(): void {
    const { qualities, chosen } = this.#choice;
    const lines = this.#lines();
    // Small screens show no words beside the button, so the menu says what automatic has come to.
    const automatic = {
      id: AUTOMATIC,
      name: 'Auto',
      detail: chosen === null && lines > 0 ? `now ${lines}p` : '',
      isChecked: chosen === null,
    };
    const sizes = qualities.map((quality) => ({
      id: quality.id,
      name: quality.name,
      detail: detailOf(quality),
      isChecked: quality.id === chosen?.id,
    }));
    this.#menu.show('Quality', this.#text(), sizes.length === 0 ? [] : [automatic, ...sizes]);
  }

  /** What plays: automatic or pinned, and the picture's size where that doesn't say it. */
  #text(): string {
    const { chosen } = this.#choice;
    const lines = this.#lines();
    const name = chosen?.name ?? 'Auto';
    return lines === 0 || lines === chosen?.lines ? name : `${name} (${lines}p)`;
  }

  /** Of the picture that plays; 0 before there is one. */
  #lines(): number {
    const { videoWidth, videoHeight } = this.#stage.video;
    return linesOf(videoWidth, videoHeight);
  }
}

type News = (choice: QualityChoice) => void;

/** What one player says of its qualities: kept until it's shown. */
export class QualitySource {
  #layerUrl: string | null = null;
  #layers: readonly VideoLayer[] = [];

  constructor(
    readonly post: QualityPorts['post'],
    readonly tell: (source: QualitySource, news: News) => void,
  ) {}

  sessionOpened(layerUrl: string | null): void {
    this.#layerUrl = layerUrl;
    this.tell(this, (choice) => {
      choice.sessionOpened(layerUrl);
    });
  }

  setLayers(layers: readonly VideoLayer[]): void {
    this.#layers = layers;
    this.tell(this, (choice) => {
      choice.setLayers(layers);
    });
  }

  tellAll(): void {
    this.sessionOpened(this.#layerUrl);
    this.setLayers(this.#layers);
  }
}
