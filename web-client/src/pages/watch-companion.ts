import type { Extensions } from '../shared/links.ts';
import { ViewerEvents } from '../whep/events.ts';
import type { Facts } from './watch-facts.ts';
import type { QualityMenu } from './watch-quality.ts';

/** What goes with each session beside its media: its events, and the choice of its layers. */
export class Companion {
  readonly #facts: Facts;
  readonly #quality: QualityMenu;
  readonly #onReconnect: (endpoint: string | null) => void;
  #events: ViewerEvents | null = null;

  constructor(facts: Facts, quality: QualityMenu, onReconnect: (endpoint: string | null) => void) {
    this.#facts = facts;
    this.#quality = quality;
    this.#onReconnect = onReconnect;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#events?.pause();
      else this.#events?.resume();
    });
  }

  /** Goes over to a new session. */
  attach(extensions: Extensions): void {
    this.#events?.stop();
    this.#quality.sessionOpened(extensions.layer);
    const events = new ViewerEvents({
      onActive: (active) => {
        this.#facts.setActive(active);
      },
      onLayers: (layers) => {
        this.#quality.setLayers(layers);
      },
      onViewers: (viewers) => {
        this.#facts.setViewers(viewers);
      },
      onConnected: (connected) => {
        this.#facts.setConnected(connected);
      },
      onReconnect: this.#onReconnect,
    });
    this.#events = events;
    if (document.hidden) events.pause();
    void events.start(extensions);
  }
}
