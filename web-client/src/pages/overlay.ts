import { Alerts } from '../chat/alerts.ts';
import { Chat } from '../chat/chat.ts';
import type { Line } from '../chat/log.ts';
import { readOverlayOptions, type OverlayOptions } from '../chat/overlay-options.ts';
import type { EventEntry } from '../chat/protocol.ts';
import { ChatSocket, chatUrl } from '../chat/transport.ts';
import { readAddress, type PageAddress } from '../shared/address.ts';
import { byId } from '../shared/dom.ts';
import { FloatingReactions } from './chat/floating.ts';
import { GoalBar } from './chat/goal-bar.ts';
import { eventCard, Lines } from './chat/lines.ts';
import { viewOf } from './chat/view.ts';
import { expose } from './expose.ts';

/** How often it's looked what is to go. */
const TICK_MS = 250;

/** The chat over a picture: only to be seen, at once, and by an author of no name who is nobody the next time. */
class Overlay {
  readonly #options: OverlayOptions;
  readonly #chat: Chat;
  readonly #alerts = new Alerts();
  readonly #goal = new GoalBar();
  readonly #lines: Lines;
  readonly #alertBox = byId('alert', HTMLElement);
  /** Since when each line has been seen. */
  readonly #since = new Map<string, number>();
  #alert: EventEntry | null = null;

  constructor({ channel, token }: PageAddress, options: OverlayOptions) {
    this.#options = options;
    const floating = new FloatingReactions(byId('floating', HTMLElement));
    const url = chatUrl(location.origin, channel);
    this.#chat = new Chat({
      openSocket: () => new ChatSocket(url),
      memory: { name: '', identity: '' },
      token: () => token,
      picture: () => null,
      holdMs: 0,
      // What was said before isn't news, unless messages stay.
      history: options.fadeMs > 0 ? 0 : options.messages,
      onChange: () => {
        this.#draw();
      },
      onReaction: (emoji, count) => {
        if (options.reactions) floating.float(emoji, count);
      },
    });
    this.#lines = new Lines(byId('messages', HTMLElement), {
      nameOf: (author) => this.#chat.nameOf(author),
      hasMenu: () => false,
      onMenu: () => undefined,
      onAgain: () => undefined,
      onDiscard: () => undefined,
      onUnseen: () => undefined,
    });
    byId('goal', HTMLElement).append(this.#goal.element);
    expose({ chat: () => viewOf(this.#chat, null) });
  }

  start(): void {
    this.#chat.start();
    setInterval(() => {
      this.#draw();
    }, TICK_MS);
    window.addEventListener('online', () => {
      this.#chat.wake();
    });
  }

  #draw(): void {
    const now = performance.now();
    const { lines, room, state } = this.#chat;
    document.documentElement.dataset.state = state.name;
    this.#goal.show(this.#options.goal ? room.goal : null);
    this.#lines.show(this.#freshOf(lines, now), '');
    if (this.#options.events) this.#showAlert(lines, now);
  }

  /** The latest messages that aren't gone yet. */
  #freshOf(lines: readonly Line[], now: number): Line[] {
    const { messages, fadeMs } = this.#options;
    if (messages === 0) return [];
    const latest = lines
      .filter(({ entry }) => entry.type === 'message' && !entry.deleted)
      .slice(-messages);
    const keys = new Set(latest.map(({ key }) => key));
    for (const key of this.#since.keys()) if (!keys.has(key)) this.#since.delete(key);
    return latest.filter(({ key }) => {
      const since = this.#since.get(key) ?? now;
      this.#since.set(key, since);
      return fadeMs === 0 || now - since < fadeMs;
    });
  }

  #showAlert(lines: readonly Line[], now: number): void {
    const isEvent = (entry: Line['entry']): entry is EventEntry => entry.type === 'event';
    this.#alerts.take(lines.map(({ entry }) => entry).filter(isEvent));
    const alert = this.#alerts.at(now);
    if (alert === this.#alert) return;
    this.#alert = alert;
    this.#alertBox.replaceChildren(...(alert === null ? [] : [eventCard(alert)]));
  }
}

const address = readAddress(new URL(location.href));
if (address !== null) {
  const options = readOverlayOptions(new URLSearchParams(location.search));
  document.body.dataset.align = options.align;
  document.body.style.setProperty('--scale', String(options.scale));
  new Overlay(address, options).start();
}
