import { Captions } from '../chat/captions.ts';
import { Chat } from '../chat/chat.ts';
import { PictureClock } from '../chat/picture-clock.ts';
import type { Report } from '../chat/protocol.ts';
import { ChatMemory } from '../chat/memory.ts';
import { Reporter, reportsUrl } from '../chat/reporter.ts';
import { ChatSocket, chatUrl, DataChannels } from '../chat/transport.ts';
import type { PageAddress } from '../shared/address.ts';
import type { ChatChannels } from '../shared/chat-channels.ts';
import { byId, setText } from '../shared/dom.ts';
import type { CaptionsMenu } from './captions-menu.ts';
import { FloatingReactions } from './chat/floating.ts';
import { ChatPanel } from './chat/panel.ts';
import type { ChatSource } from './chat/source.ts';
import { viewOf } from './chat/view.ts';

/** How often captions are looked at, and how the player does. */
const CAPTIONS_MS = 100;
const SAMPLE_MS = 1_000;

/**
 * The chat of the watch page. It goes through the data channels of what is seen, and through a WebSocket where there are none; what
 * is said belongs to the same author on both.
 */
export class WatchChat {
  readonly #chat: Chat;
  readonly #panel: ChatPanel;
  readonly #captions = new Captions();
  readonly #captionsMenu: CaptionsMenu;
  readonly #captionLine = byId('caption', HTMLElement);
  readonly #reporter: Reporter;
  #source: ChatSource | null = null;
  #channels: ChatChannels | null = null;
  /** Of these channels: those of another session count from elsewhere. */
  #clock = new PictureClock();

  /** `pictureAt`: when the first picture of the page was there, or null. */
  constructor(
    { channel, token }: PageAddress,
    captionsMenu: CaptionsMenu,
    pictureAt: () => number | null,
  ) {
    this.#captionsMenu = captionsMenu;
    const floating = new FloatingReactions(byId('floating', HTMLElement));
    const url = chatUrl(location.origin, channel);
    this.#chat = new Chat({
      openSocket: () => new ChatSocket(url),
      memory: new ChatMemory(channel),
      token: () => token,
      picture: (startedAt) => this.#source?.pictureTime(startedAt, this.#clock) ?? null,
      onChange: () => {
        this.#panel.refresh();
      },
      onReaction: (emoji, count) => {
        floating.float(emoji, count);
      },
      onClock: (pair) => {
        this.#clock.pair(pair, performance.now());
      },
      onCaption: (caption) => {
        this.#captions.take(caption, this.#pictureTime, performance.now());
        captionsMenu.offerSpoken(this.#captions.languages);
      },
      onBroadcast: () => {
        this.#captions.clear();
        captionsMenu.offerSpoken([]);
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
    this.#reporter = this.#makeReporter(reportsUrl(location.origin, channel, token), pictureAt);
    this.#listen();
  }

  /** For tests and the curious. */
  get view(): unknown {
    return viewOf(this.#chat, this.#pictureTime);
  }

  start(): void {
    this.#chat.start();
  }

  /** This player is what is seen, with the session that it has now. */
  use(source: ChatSource): void {
    const { channels, hasChannels } = source;
    if (source === this.#source && channels === this.#channels) return;
    // What the other one did is told of it.
    if (source !== this.#source) this.#reporter.flush(performance.now());
    this.#source = source;
    this.#channels = channels;
    this.#clock = new PictureClock();
    this.#chat.offer(channels === null ? null : new DataChannels(channels), hasChannels);
  }

  get #pictureTime(): number | null {
    const { broadcast } = this.#chat.room;
    if (broadcast === null) return null;
    return this.#source?.pictureTime(broadcast.startedAt, this.#clock) ?? null;
  }

  #listen(): void {
    window.addEventListener('online', () => {
      this.#chat.wake();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#reporter.flush(performance.now());
    });
    const leave = (): void => {
      this.#reporter.leave(performance.now());
    };
    // Before the players are closed.
    window.addEventListener('pagehide', leave, { capture: true });
    window.addEventListener('pagehide', () => {
      this.#chat.stop();
      this.#channels = null;
    });
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) this.#chat.start();
    });
    setInterval(() => {
      this.#showCaption();
    }, CAPTIONS_MS);
    setInterval(() => {
      this.#reporter.look(performance.now());
    }, SAMPLE_MS);
  }

  #showCaption(): void {
    const language = this.#captionsMenu.spoken;
    // None without a picture that moves.
    const isShown = language !== null && this.#pictureTime !== null;
    const text = isShown ? this.#captions.textAt(language, performance.now()) : '';
    setText(this.#captionLine, text);
    this.#captionLine.hidden = text === '';
  }

  #makeReporter(url: string, pictureAt: () => number | null): Reporter {
    const ports = {
      sample: () => this.#source?.sample() ?? null,
      pictureAt,
      broadcastAt: () => {
        const now = performance.now();
        const streamTime = this.#chat.room.streamTime(now);
        return streamTime === null ? null : now - streamTime;
      },
      readyAt: () => this.#chat.readyAt,
      say: (report: Report) => this.#chat.report(report),
      send: (report: Report) => {
        navigator.sendBeacon(url, JSON.stringify(report));
      },
    };
    return new Reporter(ports, performance.now());
  }
}
