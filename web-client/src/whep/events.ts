import { postEvents } from '../shared/http.ts';
import { webUrl, type Extensions } from '../shared/links.ts';
import { parseLayers, type VideoLayer } from './layers.ts';

const NAMES = ['active', 'inactive', 'layers', 'reconnect', 'viewercount'] as const;

/** Whether there is something to watch: on air, off but the node waits for its publisher, or over. */
export type Activity = 'active' | 'interrupted' | 'over';

/** What a session's events say. */
export interface EventListener {
  onActivity: (activity: Activity) => void;
  onLayers: (layers: VideoLayer[]) => void;
  onViewers: (viewers: number) => void;
  /** The node wants the viewer to make a new session there; null: where it made this one. */
  onReconnect: (endpoint: string | null) => void;
  /** Whether events come, from now on. */
  onConnected: (connected: boolean) => void;
}

/** What events come through; tests have their own. */
export interface EventPorts {
  open: (url: string, names: readonly string[]) => Promise<string>;
  connect: (url: string) => EventSource;
}

const BROWSER: EventPorts = { open: postEvents, connect: (url) => new EventSource(url) };

/**
 * Follows the events of one session: `start` it, `pause` it while nobody looks (browsers allow few connections to one
 * server), and `stop` it when the session is over.
 */
export class ViewerEvents {
  readonly #listener: EventListener;
  readonly #ports: EventPorts;
  #stream: string | null = null;
  #source: EventSource | null = null;
  #paused = false;
  #stopped = false;

  constructor(listener: EventListener, ports: EventPorts = BROWSER) {
    this.#listener = listener;
    this.#ports = ports;
  }

  async start({ events }: Extensions): Promise<void> {
    if (events === null) return;
    try {
      this.#stream = await this.#ports.open(events, NAMES);
      this.#follow();
    } catch {
      // The node has as many as it may, or the session is gone already: the page does without.
    }
  }

  pause(): void {
    this.#paused = true;
    this.#disconnect();
  }

  resume(): void {
    this.#paused = false;
    this.#follow();
  }

  stop(): void {
    this.#stopped = true;
    this.#disconnect();
  }

  #follow(): void {
    if (this.#stream === null || this.#source !== null || this.#paused || this.#stopped) return;
    const source = this.#ports.connect(this.#stream);
    this.#source = source;
    for (const name of NAMES) {
      source.addEventListener(name, (event: MessageEvent<unknown>) => {
        if (this.#source === source) this.#take(name, parse(event.data));
      });
    }
    source.addEventListener('open', () => {
      if (this.#source === source) this.#listener.onConnected(true);
    });
    // A connection that was lost is made anew by the browser; one that was refused isn't.
    source.addEventListener('error', () => {
      if (this.#source !== source) return;
      if (source.readyState === EventSource.CLOSED) this.#disconnect();
      else this.#listener.onConnected(false);
    });
  }

  #disconnect(): void {
    if (this.#source === null) return;
    this.#source.close();
    this.#source = null;
    this.#listener.onConnected(false);
  }

  #take(name: (typeof NAMES)[number], data: Readonly<Record<string, unknown>>): void {
    switch (name) {
      case 'active':
        this.#listener.onActivity('active');
        break;
      case 'inactive':
        this.#listener.onActivity(data.ended === true ? 'over' : 'interrupted');
        break;
      case 'layers':
        this.#listener.onLayers(parseLayers(data));
        break;
      case 'viewercount':
        if (typeof data.viewercount === 'number') this.#listener.onViewers(data.viewercount);
        break;
      case 'reconnect':
        this.#reconnect(data.url);
    }
  }

  #reconnect(url: unknown): void {
    // Nothing more comes from a node that sends its viewers away.
    const base = this.#stream ?? '';
    this.stop();
    this.#listener.onReconnect(typeof url === 'string' ? webUrl(url, base) : null);
  }
}

function parse(data: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
