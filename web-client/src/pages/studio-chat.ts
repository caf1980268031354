import { Chat } from '../chat/chat.ts';
import { ChatMemory } from '../chat/memory.ts';
import { ChatSocket, chatUrl, DataChannels } from '../chat/transport.ts';
import type { ChatChannels } from '../shared/chat-channels.ts';
import { byId } from '../shared/dom.ts';
import { getJson } from '../shared/http.ts';
import { ProblemError } from '../shared/problem.ts';
import { FloatingReactions } from './chat/floating.ts';
import { ChatPanel } from './chat/panel.ts';
import { viewOf } from './chat/view.ts';

/** A token that is being typed isn't tried letter by letter. */
const TYPED_MS = 1_000;

/**
 * The chat of the studio: the streamer sees what happens, so what is said is seen at once.
 *
 * A channel that its first broadcast is yet to make has no chat. It's looked for once, and again when the streamer comes back to the page,
 * perhaps from another program that has gone live; going live here is enough by itself.
 */
export class StudioChat {
  readonly #channel: string;
  readonly #token: () => string;
  #isThere = false;
  readonly #chat: Chat;
  readonly #panel: ChatPanel;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: string, token: () => string) {
    this.#channel = channel;
    this.#token = token;
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
      if (event.persisted) this.start();
    });
    window.addEventListener('focus', () => {
      if (!this.#isThere) this.start();
    });
  }

  /** For tests and the curious. */
  get view(): unknown {
    return viewOf(this.#chat, null);
  }

  start(): void {
    if (this.#isThere) this.#chat.start();
    else void this.#look();
  }

  /** The session that publishes has these; null: nothing is published. */
  use(channels: ChatChannels | null): void {
    this.#chat.offer(channels === null ? null : new DataChannels(channels));
    if (channels === null || this.#isThere) return;
    this.#isThere = true;
    this.start();
  }

  tokenChanged(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#chat.renew();
    }, TYPED_MS);
  }

  async #look(): Promise<void> {
    const isThere = await isChannel(this.#channel, this.#token());
    // Meanwhile a session may have been opened.
    if (this.#isThere) return;
    this.#isThere = isThere;
    if (isThere) this.start();
    else this.#panel.refresh();
  }
}

/** Whatever else is wrong, the chat will say. */
async function isChannel(channel: string, token: string): Promise<boolean> {
  try {
    await getJson(`/api/v1/channels/${encodeURIComponent(channel)}`, token);
    return true;
  } catch (error) {
    return !(error instanceof ProblemError && error.problem.status === 404);
  }
}
