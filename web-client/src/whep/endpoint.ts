/** `layer` is the rid of the simulcast layer to ask for, or empty for the node's choice. */
export function whepEndpoint(origin: string, channel: string, layer: string): string {
  const url = new URL(`/whep/${encodeURIComponent(channel)}`, origin);
  if (layer !== '') url.searchParams.set('layer', layer);
  return url.href;
}

/** Where the next session is made: at the page's own node, or where a node sends its viewers. */
export class Endpoint {
  readonly #home: string;
  #next: string;
  /** Where we were sent last, until a session at home is had again. */
  #sentTo: string | null = null;

  constructor(home: string) {
    this.#home = home;
    this.#next = home;
  }

  /** A node sends us there, with what this one was asked for; null: to where we are. */
  moveTo(other: string | null): void {
    if (other === null) return;
    const url = new URL(other);
    if (url.search === '') url.search = new URL(this.#next).search;
    this.#next = this.#sentTo = url.href;
  }

  /**
   * Opens a session. Where we were sent may be full or down, or where this page may not go, and its own node about to stop:
   * they are asked by turns.
   */
  async open<Session>(
    signal: AbortSignal,
    open: (endpoint: string) => Promise<Session>,
  ): Promise<Session> {
    const tried = this.#next;
    const isHome = tried === this.#home;
    try {
      const session = await open(tried);
      if (isHome && this.#next === tried) this.#sentTo = null;
      return session;
    } catch (error) {
      if (this.#next === tried && !signal.aborted) {
        this.#next = isHome ? (this.#sentTo ?? this.#home) : this.#home;
      }
      throw error;
    }
  }
}
