import type { VodAddress } from '../shared/address.ts';
import type { Recording } from '../vod/recording.ts';
import { letHide } from './chat/hide.ts';
import { showUnloaded } from './chat/unloaded.ts';
import { pageLoaded } from './page-loaded.ts';
import type { VodChat } from './vod-chat.ts';
import type { VodPlayer } from './vod-player.ts';

/** Between the recording and its chat, whose code is loaded after the page: the picture comes first. */
export class VodChatLink {
  readonly #address: VodAddress;
  readonly #player: VodPlayer;
  #recording: Recording | null = null;
  #chat: VodChat | null = null;

  constructor(address: VodAddress, player: VodPlayer) {
    this.#address = address;
    this.#player = player;
  }

  /** For tests and the curious. */
  get view(): unknown {
    return this.#chat?.view ?? null;
  }

  /** What is known of the recording by now. There's nothing to replay without a picture. */
  take(recording: Recording): void {
    if (recording.playlist === null) return;
    const isFirst = this.#recording === null;
    this.#recording = recording;
    this.#chat?.take(recording);
    if (!isFirst) return;
    this.#load(recording).catch(() => {
      letHide();
      showUnloaded();
    });
  }

  async #load(first: Recording): Promise<void> {
    await pageLoaded();
    const { VodChat } = await import('./vod-chat.ts');
    this.#chat = new VodChat(this.#address, this.#player);
    this.#chat.take(this.#recording ?? first);
  }
}
