import { qualitiesOf, type Quality, type VideoLayer } from './layers.ts';

/** What is remembered: a size in lines, since every broadcast calls its layers something else. */
const KEY = 'spillway-quality';
const AUTOMATIC = 'auto';

export interface QualityPorts {
  /** The qualities, or which is chosen, have changed. */
  onChange: () => void;
  storage: Pick<Storage, 'getItem' | 'setItem'>;
  post: (url: string, choice: Quality['choice']) => Promise<unknown>;
}

/**
 * The viewer's choice among the qualities of a broadcast: kept over sessions and broadcasts, and told to each session.
 *
 * Tell it of each session (`sessionOpened`) and of its layers (`setLayers`).
 */
export class QualityChoice {
  readonly #ports: QualityPorts;
  #qualities: Quality[] = [];
  /** The size that the viewer wants at most; null: what the path carries. */
  #lines: number | null;
  /** The very quality that was picked, among several of a size. */
  #id: string | null = null;
  /** The viewer has picked something, so that the page's address counts no more. */
  #picked = false;
  #layerUrl: string | null = null;
  /** The choice that the session knows of; null: that can't be said. */
  #told: string | null = AUTOMATIC;
  #telling = false;

  /** `linked` is the rid in the page's address: it counts until the viewer picks something else. */
  constructor(
    readonly linked: string,
    ports: QualityPorts,
  ) {
    this.#ports = ports;
    this.#lines = linked === '' ? readLines(ports.storage.getItem(KEY)) : null;
  }

  /** The largest first. Empty if there is no choice. */
  get qualities(): readonly Quality[] {
    return this.#layerUrl === null ? [] : this.#qualities;
  }

  /** The quality that the viewer has chosen, or null for automatic. */
  get chosen(): Quality | null {
    const lines = this.#lines;
    if (lines === null) return this.#linkedQuality();
    const picked = this.#qualities.find(({ id }) => id === this.#id);
    if (picked?.lines === lines) return picked;
    // Another broadcast: the nearest size that isn't larger, else the smallest.
    return (
      this.#qualities.find((quality) => quality.lines <= lines) ?? this.#qualities.at(-1) ?? null
    );
  }

  /** Another player is shown: the qualities of the one before it are none of this one. */
  playerChanged(): void {
    this.#qualities = [];
    this.#layerUrl = null;
  }

  /** A session was opened, whose choices of layers go there. */
  sessionOpened(layerUrl: string | null): void {
    this.#layerUrl = layerUrl;
    // It was opened with the address's layer, if that has one.
    this.#told = this.linked === '' ? AUTOMATIC : null;
    this.#changed();
  }

  setLayers(layers: readonly VideoLayer[]): void {
    const qualities = qualitiesOf(layers);
    // Between broadcasts the menu stays as it was.
    if (qualities.length > 0) this.#qualities = qualities;
    this.#changed();
  }

  /** The viewer's pick; null for automatic. */
  choose(quality: Quality | null): void {
    this.#lines = quality?.lines ?? null;
    this.#id = quality?.id ?? null;
    this.#picked = true;
    this.#ports.storage.setItem(KEY, quality === null ? AUTOMATIC : String(quality.lines));
    this.#changed();
  }

  #linkedQuality(): Quality | null {
    if (this.linked === '' || this.#picked) return null;
    return this.#qualities.find(({ choice }) => choice.rid === this.linked) ?? null;
  }

  #changed(): void {
    void this.#tell();
    this.#ports.onChange();
  }

  /** Tells the session, one choice at a time and the latest last. One that fails is told again with the next news. */
  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (;;) {
        const url = this.#layerUrl;
        const choice = this.chosen?.choice ?? {};
        const news = this.chosen === null ? AUTOMATIC : JSON.stringify(choice);
        if (url === null || news === this.#told || this.#waitsForLayers()) return;
        await this.#ports.post(url, choice);
        if (url === this.#layerUrl) this.#told = news;
      }
    } catch {
      // The session may be gone, or too many requests were sent.
    } finally {
      this.#telling = false;
    }
  }

  /** A choice can't be told before the layers are known; "automatic" would be wrong then. */
  #waitsForLayers(): boolean {
    const wantsOne = this.#lines !== null || (this.linked !== '' && !this.#picked);
    return wantsOne && this.chosen === null;
  }
}

function readLines(text: string | null): number | null {
  const lines = Number(text ?? NaN);
  return lines > 0 && Number.isFinite(lines) ? lines : null;
}
