import type { PageAddress } from '../shared/address.ts';
import { byId, make, setText } from '../shared/dom.ts';
import { formatDuration, formatViewers } from '../shared/format.ts';
import { fetchLive, type LiveChannel } from '../shared/live.ts';
import type { Activity } from '../whep/events.ts';

/** How often the time on air is written anew. */
const TICK_MS = 1_000;
/** How often what events don't tell is asked for. */
const REFRESH_MS = 10_000;
/** What is asked for again sooner than that was just answered. */
const FRESH_MS = 1_000;

/**
 * What is known of the channel beside its picture: title, viewers, tags, and whether it is on air. While events come, they
 * tell who watches and whether it is on air; else the node is asked now and then.
 */
export class Facts {
  readonly #address: PageAddress;
  readonly #title = byId('title', HTMLElement);
  readonly #facts = byId('facts', HTMLElement);
  readonly #tags = byId('tags', HTMLElement);
  #live: LiveChannel | undefined;
  #wasListed = false;
  #askedAt = -Infinity;
  /** Whether events come. */
  #connected = false;
  /** What they said since. */
  #activity: Activity | null = null;
  #viewers: number | null = null;

  constructor(address: PageAddress) {
    this.#address = address;
    this.#show();
    this.refresh();
    setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  /** Viewers of the channel; null if that isn't known. */
  get viewers(): number | null {
    return this.#viewers ?? this.#live?.viewers ?? null;
  }

  /** Whether the channel is on air; null if that can't be told, or if its publisher may return. */
  async isLive(): Promise<boolean | null> {
    if (this.#activity === null) return this.#ask();
    return this.#activity === 'interrupted' ? null : this.#activity === 'active';
  }

  /** Asks now: something has just changed. */
  refresh(): void {
    if (performance.now() - this.#askedAt >= FRESH_MS) void this.#ask().catch(() => null);
  }

  setActivity(activity: Activity): void {
    this.#activity = activity;
    if (activity === 'active') this.refresh();
    else this.#live = undefined;
    this.#show();
  }

  setViewers(viewers: number): void {
    this.#viewers = viewers;
    this.#show();
  }

  setConnected(connected: boolean): void {
    this.#connected = connected;
    if (!connected) this.#activity = this.#viewers = null;
  }

  async #ask(): Promise<boolean | null> {
    this.#askedAt = performance.now();
    const { channels, complete } = await fetchLive();
    this.#live = channels.find(({ name }) => name === this.#address.channel);
    this.#wasListed ||= this.#live !== undefined;
    this.#show();
    if (this.#live !== undefined) return true;
    // The list leaves restricted channels out. A channel is none if it was listed before or needs no token.
    const isPublic = this.#wasListed || this.#address.token === '';
    return complete && isPublic ? false : null;
  }

  #tick(): void {
    if (document.hidden) return;
    setText(this.#facts, this.#describe());
    const isStale = performance.now() - this.#askedAt >= REFRESH_MS;
    if (!this.#connected && isStale) this.refresh();
  }

  #show(): void {
    const { channel } = this.#address;
    const live = this.#live;
    // A broadcast that ended keeps its title.
    if (live !== undefined || !this.#wasListed) {
      const title = live?.title ?? '';
      setText(this.#title, title === '' ? channel : title);
    }
    document.title = `${this.#title.textContent} · Spillway`;
    setText(this.#facts, this.#describe());
    this.#tags.replaceChildren(...(live?.tags ?? []).map((tag) => make('li', 'tag', tag)));
  }

  #describe(): string {
    const live = this.#live;
    const isOn = live !== undefined || this.#activity === 'active';
    if (!isOn || this.viewers === null) return '';
    const name = live === undefined || live.title === '' ? '' : live.name;
    const since = live?.since ?? null;
    const onAir = since === null ? '' : `on air for ${formatDuration(Date.now() - since)}`;
    return [name, formatViewers(this.viewers), onAir].filter(Boolean).join(' · ');
  }
}
