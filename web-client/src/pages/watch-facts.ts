import type { PageAddress } from '../shared/address.ts';
import { byId, make, setText } from '../shared/dom.ts';
import { formatDuration, formatViewers } from '../shared/format.ts';
import { fetchLive, type LiveChannel } from '../shared/live.ts';

const REFRESH_MS = 10_000;

/** What is known of the channel beside its picture: title, viewers, tags, and whether it is on air. */
export class Facts {
  readonly #address: PageAddress;
  readonly #title = byId('title', HTMLElement);
  readonly #facts = byId('facts', HTMLElement);
  readonly #tags = byId('tags', HTMLElement);
  #wasListed = false;

  constructor(address: PageAddress) {
    this.#address = address;
    this.#show(undefined);
    void this.#keepFresh();
  }

  /** Whether the channel is on air; null if that can't be told. */
  async isLive(): Promise<boolean | null> {
    const { channels, complete } = await fetchLive();
    const mine = channels.find(({ name }) => name === this.#address.channel);
    this.#show(mine);
    if (mine !== undefined) return true;
    // The list leaves restricted channels out. A channel is none if it was listed before or needs no token.
    const isPublic = this.#wasListed || this.#address.token === '';
    return complete && isPublic ? false : null;
  }

  /** Asks now: who watches has just changed. */
  refresh(): void {
    void this.isLive().catch(() => null);
  }

  async #keepFresh(): Promise<void> {
    if (!document.hidden) await this.isLive().catch(() => null);
    setTimeout(() => void this.#keepFresh(), REFRESH_MS);
  }

  #show(live: LiveChannel | undefined): void {
    const { channel } = this.#address;
    this.#wasListed ||= live !== undefined;
    // A broadcast that ended keeps its title.
    if (live !== undefined || !this.#wasListed) {
      const title = live?.title ?? '';
      setText(this.#title, title === '' ? channel : title);
    }
    document.title = `${this.#title.textContent} · Spillway`;
    setText(this.#facts, live === undefined ? '' : describe(live));
    this.#tags.replaceChildren(...(live?.tags ?? []).map((tag) => make('li', 'tag', tag)));
  }
}

function describe({ name, title, viewers, since }: LiveChannel): string {
  const onAir = since === null ? '' : `on air for ${formatDuration(Date.now() - since)}`;
  return [title === '' ? '' : name, formatViewers(viewers), onAir].filter(Boolean).join(' · ');
}
