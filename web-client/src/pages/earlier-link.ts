import type { PageAddress } from '../shared/address.ts';
import type { Recording } from '../vod/recording.ts';
import type { EarlierBroadcasts } from './earlier-broadcasts.ts';
import { pageLoaded } from './page-loaded.ts';

/** The list of recordings, whose code is loaded after the page: the picture comes first. */
export class EarlierLink {
  #earlier: EarlierBroadcasts | null = null;

  constructor(address: PageAddress, onFound: (recordings: readonly Recording[]) => void) {
    this.#load(address, onFound).catch(() => {
      // It can't be had: the page does without, as it does where nothing is recorded.
    });
  }

  /** Asks now: a broadcast has begun or ended. */
  refresh(): void {
    this.#earlier?.refresh();
  }

  async #load(
    address: PageAddress,
    onFound: (recordings: readonly Recording[]) => void,
  ): Promise<void> {
    await pageLoaded();
    const { EarlierBroadcasts } = await import('./earlier-broadcasts.ts');
    this.#earlier = new EarlierBroadcasts(address, onFound);
  }
}
