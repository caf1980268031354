import type { PageAddress } from '../shared/address.ts';
import { byId, make } from '../shared/dom.ts';
import { formatDate, formatDuration } from '../shared/format.ts';
import { fetchRecordings, vodPage, withToken, type Recording } from '../vod/recording.ts';

/** How many are listed. */
const LIMIT = 12;
/** What was just asked isn't asked again. */
const FRESH_MS = 2_000;
/** How often a list is renewed in which something is still being made. */
const RENEW_MS = 30_000;

/** The channel's recordings under the picture: what there is to watch of earlier broadcasts, and of this one from its beginning. */
export class EarlierBroadcasts {
  readonly #section = byId('earlier', HTMLElement);
  readonly #list = byId('earlier-list', HTMLElement);
  readonly #address: PageAddress;
  readonly #onFound: (recordings: readonly Recording[]) => void;
  #askedAt = -Infinity;
  #shown = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onFound` gets what there is whenever it's asked for, the latest first. */
  constructor(address: PageAddress, onFound: (recordings: readonly Recording[]) => void) {
    this.#address = address;
    this.#onFound = onFound;
    this.refresh();
  }

  /** Asks now: a broadcast has begun or ended. */
  refresh(): void {
    if (performance.now() - this.#askedAt < FRESH_MS) return;
    this.#askedAt = performance.now();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    const { channel, token } = this.#address;
    // A node without recordings, or one that this viewer may not see: the page does without.
    const found = await fetchRecordings(channel, token, LIMIT).catch(() => null);
    if (found === null) return;
    const recordings = found.filter(({ state }) => state !== 'failed');
    this.#show(recordings);
    this.#onFound(recordings);
    if (recordings.some(({ state }) => state !== 'ready')) this.#renewLater();
  }

  #renewLater(): void {
    this.#timer = setTimeout(() => {
      if (document.hidden) this.#renewLater();
      else void this.#ask();
    }, RENEW_MS);
  }

  #show(recordings: readonly Recording[]): void {
    const key = JSON.stringify(recordings);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#section.hidden = recordings.length === 0;
    const focused = document.activeElement?.getAttribute('href');
    const { token } = this.#address;
    this.#list.replaceChildren(...recordings.map((recording) => card(recording, token)));
    for (const link of this.#list.querySelectorAll('a')) {
      if (link.getAttribute('href') === focused) link.focus();
    }
  }
}

function card(recording: Recording, token: string): HTMLLIElement {
  const { broadcast, title, channel, state, startedAt } = recording;
  const link = make(
    'a',
    'recording',
    make('span', 'recording-picture', ...picture(recording, token)),
    make('span', 'recording-title', title === '' ? channel : title),
    make('span', 'recording-date', startedAt === null ? '' : formatDate(startedAt)),
  );
  link.href = vodPage(broadcast, token);
  if (state === 'recording') link.dataset.live = '';
  return make('li', '', link);
}

function picture({ poster, durationMs, state }: Recording, token: string): HTMLElement[] {
  const badge =
    state === 'recording'
      ? make('span', 'badge on-air', 'From the beginning')
      : make('span', 'recording-length', formatDuration(durationMs));
  if (poster === null) return [badge];
  const image = make('img', '');
  image.src = withToken(poster, token);
  image.alt = '';
  image.loading = 'lazy';
  return [image, badge];
}
