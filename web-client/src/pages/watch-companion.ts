import type { Extensions } from '../shared/links.ts';
import { ViewerEvents, type Activity } from '../whep/events.ts';
import type { Facts } from './watch-facts.ts';
import type { QualitySource } from './watch-quality.ts';

export interface CompanionPorts {
  facts: Facts;
  quality: QualitySource;
  onActivity: (activity: Activity) => void;
  /** The node wants the viewer to make a new session there; null: where it made this one. */
  onReconnect: (endpoint: string | null) => void;
}

/** What goes with each session beside its media: its events, and the choice of its layers. `stop` it in the end. */
export class Companion {
  readonly #ports: CompanionPorts;
  readonly #abort = new AbortController();
  #events: ViewerEvents | null = null;

  constructor(ports: CompanionPorts) {
    this.#ports = ports;
    const { signal } = this.#abort;
    document.addEventListener(
      'visibilitychange',
      () => {
        if (document.hidden) this.#events?.pause();
        else this.#events?.resume();
      },
      { signal },
    );
  }

  /** Goes over to a new session. */
  attach(extensions: Extensions): void {
    const { facts, quality, onActivity, onReconnect } = this.#ports;
    this.#events?.stop();
    quality.sessionOpened(extensions.layer);
    const events = new ViewerEvents({
      onActivity: (activity) => {
        facts.setActivity(activity);
        onActivity(activity);
      },
      onLayers: (layers) => {
        quality.setLayers(layers);
      },
      onViewers: (viewers) => {
        facts.setViewers(viewers);
      },
      onConnected: (connected) => {
        facts.setConnected(connected);
      },
      onReconnect,
    });
    this.#events = events;
    if (document.hidden) events.pause();
    void events.start(extensions);
  }

  stop(): void {
    this.#abort.abort();
    this.#events?.stop();
  }
}
