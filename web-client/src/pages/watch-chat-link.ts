import type { PageAddress } from '../shared/address.ts';
import type { CaptionsMenu } from './captions-menu.ts';
import { letHide } from './chat/hide.ts';
import type { ChatSource } from './chat/source.ts';
import { showUnloaded } from './chat/unloaded.ts';
import { pageLoaded } from './page-loaded.ts';
import type { WatchChat } from './watch-chat.ts';

/** Between the players and the chat, whose code is loaded after the page: the picture comes first. */
export class ChatLink {
  #source: ChatSource | null = null;
  #chat: WatchChat | null = null;
  #pictureAt: number | null = null;

  constructor(address: PageAddress, captions: CaptionsMenu) {
    letHide();
    this.#load(address, captions).catch(showUnloaded);
  }

  /** For tests and the curious. */
  get view(): unknown {
    return this.#chat?.view ?? null;
  }

  /** This player is what is seen from now on. */
  use(source: ChatSource): void {
    this.#source = source;
    this.#chat?.use(source);
  }

  /** There is a picture. How soon the first one came is reported. */
  played(): void {
    this.#pictureAt ??= performance.now();
  }

  /** A player has another session. */
  changed(source: ChatSource): void {
    if (source === this.#source) this.#chat?.use(source);
  }

  async #load(address: PageAddress, captions: CaptionsMenu): Promise<void> {
    await pageLoaded();
    const { WatchChat } = await import('./watch-chat.ts');
    this.#chat = new WatchChat(address, captions, () => this.#pictureAt);
    if (this.#source !== null) this.#chat.use(this.#source);
    this.#chat.start();
  }
}
