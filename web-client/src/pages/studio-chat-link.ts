import type { ChatChannels } from '../shared/chat-channels.ts';
import { showUnloaded } from './chat/unloaded.ts';
import { pageLoaded } from './page-loaded.ts';
import type { StudioChat } from './studio-chat.ts';

/** Between the studio and its chat, whose code is loaded after the page. */
export class StudioChatLink {
  #chat: StudioChat | null = null;
  #channels: ChatChannels | null = null;

  constructor(channel: string, token: () => string) {
    this.#load(channel, token).catch(showUnloaded);
  }

  /** For tests and the curious. */
  get view(): unknown {
    return this.#chat?.view ?? null;
  }

  sessionOpened(channels: ChatChannels): void {
    this.#channels = channels;
    this.#chat?.use(channels);
  }

  sessionOver(): void {
    if (this.#channels === null) return;
    this.#channels = null;
    this.#chat?.use(null);
  }

  tokenChanged(): void {
    this.#chat?.tokenChanged();
  }

  async #load(channel: string, token: () => string): Promise<void> {
    await pageLoaded();
    const { StudioChat } = await import('./studio-chat.ts');
    this.#chat = new StudioChat(channel, token);
    this.#chat.use(this.#channels);
    this.#chat.start();
  }
}
