import type { PathEvent } from '../shared/peer-session.ts';
import { toProblem, isTransient } from '../shared/problem.ts';
import type { Engine, EngineEvents } from './engine.ts';
import { askForPlaylist } from './playlist.ts';

/** How often it's asked whether another broadcast has begun. */
const NEXT_BROADCAST_MS = 5_000;

export interface HlsOptions {
  url: string;
  token: string;
  signal: AbortSignal;
  onPath: (event: PathEvent) => void;
  /** Begins to play. */
  start: (events: EngineEvents) => Promise<Engine>;
  onLayers: EngineEvents['onLayers'];
  /** The broadcast is over; the session waits for another one. */
  onEnded: () => void;
  /** Whether the channel is live; null if that can't be told. */
  isLive: () => Promise<boolean | null>;
}

/**
 * What a WHEP session is to the other player: it stands for the wish to watch a channel. While there is nothing to play it
 * asks gently, and it plays what begins.
 */
export class HlsSession {
  readonly #options: HlsOptions;
  #engine: Engine | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  private constructor(options: HlsOptions) {
    this.#options = options;
  }

  /** Throws what waiting doesn't help against, such as a channel that doesn't exist. */
  static async open(options: HlsOptions): Promise<HlsSession> {
    const { url, token, signal } = options;
    const found = await askForPlaylist(url, token, signal);
    const session = new HlsSession(options);
    if (found.isThere) await session.#play();
    else session.#askIn(found.inMs);
    options.onPath('up');
    return session;
  }

  get engine(): Engine | null {
    return this.#engine;
  }

  /** There is no path that could be mended by itself. */
  restartIce(): Promise<void> {
    return Promise.reject(new Error('An HLS session has no path of its own.'));
  }

  close(): void {
    this.#closed = true;
    this.#rest();
  }

  async #play(): Promise<void> {
    const engine = await this.#options.start({
      onLayers: this.#options.onLayers,
      onEnded: () => {
        this.#ended();
      },
      onFailed: () => {
        if (!this.#closed) this.#options.onPath('closed');
      },
    });
    if (this.#closed) engine.destroy();
    else this.#engine = engine;
  }

  #ended(): void {
    if (this.#closed) return;
    this.#rest();
    this.#options.onEnded();
    this.#askIn(NEXT_BROADCAST_MS);
  }

  /** The last picture's engine goes, and whatever was to be asked. */
  #rest(): void {
    clearTimeout(this.#timer);
    this.#engine?.destroy();
    this.#engine = null;
  }

  #askIn(ms: number): void {
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    const { url, token, signal, onPath, isLive } = this.#options;
    try {
      const found = await askForPlaylist(url, token, signal);
      // What has ended stays there for a while.
      const isOver = found.isThere && (await isLive().catch(() => null)) === false;
      if (this.#closed) return;
      if (!found.isThere) this.#askIn(found.inMs);
      else if (isOver) this.#askIn(NEXT_BROADCAST_MS);
      else await this.#play();
    } catch (error) {
      if (this.#closed) return;
      // What won't pass by itself is said when a session is opened anew.
      if (isTransient(toProblem(error))) this.#askIn(NEXT_BROADCAST_MS);
      else onPath('closed');
    }
  }
}
