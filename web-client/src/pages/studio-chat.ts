import { Chat } from '../chat/chat.ts';
import { ChatMemory } from '../chat/memory.ts';
import { ChatSocket, chatUrl, DataChannels } from '../chat/transport.ts';
import type { ChatChannels } from '../shared/chat-channels.ts';
import { byId } from '../shared/dom.ts';
import { FloatingReactions } from './chat/floating.ts';
import { ChatPanel } from './chat/panel.ts';
import { viewOf } from './chat/view.ts';

/** A token that is being typed isn't tried letter by letter. */
const TYPED_MS = 1_000;

/** The chat of the studio: the streamer sees what happens, so what is said is seen at once. */
export class StudioChat {
  readonly #chat: Chat;
  readonly #panel: ChatPanel;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: string, token: () => string) {
    const floating = new FloatingReactions(byId('floating', HTMLElement));
    const url = chatUrl(location.origin, channel);
    this.#chat = new Chat({
      openSocket: () => new ChatSocket(url),
      memory: new ChatMemory(channel),
      token,
      picture: () => null,
      holdMs: 0,
      onChange: () => {
        this.#panel.refresh();
      },
      onReaction: (emoji, count) => {
        floating.float(emoji, count);
      },
      onRefusal: (text) => {
        this.#panel.tell(text);
      },
    });
    this.#panel = new ChatPanel(byId('chat', HTMLElement), this.#chat, {
      onTap: (emoji) => {
        floating.float(emoji, 1);
      },
    });
    window.addEventListener('online', () => {
      this.#chat.wake();
    });
    window.addEventListener('pagehide', () => {
      this.#chat.stop();
    });
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) this.#chat.start();
    });
  }

  /** For tests and the curious. */
  get view(): unknown {
    return viewOf(this.#chat, null);
  }

  start(): void {
    this.#chat.start();
  }

  /** The session that publishes has these; null: nothing is published. */
  use(channels: ChatChannels | null): void {
    this.#chat.offer(channels === null ? null : new DataChannels(channels));
  }

  tokenChanged(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#chat.renew();
    }, TYPED_MS);
  }
}
