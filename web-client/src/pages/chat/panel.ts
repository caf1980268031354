import type { Chat } from '../../chat/chat.ts';
import type { Line } from '../../chat/log.ts';
import type { Action } from '../../chat/protocol.ts';
import { describeRefusal, describeRules } from '../../chat/words.ts';
import { make, setText } from '../../shared/dom.ts';
import { ActionMenu } from './action-menu.ts';
import { Composer } from './composer.ts';
import { GoalBar } from './goal-bar.ts';
import { authorParts, Lines, textButton } from './lines.ts';
import { actionsFor } from './moderation.ts';
import { ReactionBar } from './reaction-bar.ts';
import { RulesDialog } from './rules-dialog.ts';

/** What runs out (slow mode, a time-out) is written anew so often. */
const TICK_MS = 500;
/** A chat that connects sooner than that says nothing of it. */
const PATIENCE_MS = 1_500;

export interface PanelPorts {
  /** The viewer has tapped; it floats at once. */
  onTap: (emoji: string) => void;
}

/** A channel's chat, beside or under the picture. `refresh` it whenever something has changed. */
export class ChatPanel {
  readonly #chat: Chat;
  readonly #composer: Composer;
  readonly #lines: Lines;
  readonly #menu: ActionMenu;
  readonly #reactions: ReactionBar;
  readonly #goal = new GoalBar();
  readonly #presence = make('span', 'chat-presence muted');
  readonly #follow = make('button', 'button chat-small');
  readonly #rulesButton = make('button', 'button chat-small', 'Rules');
  readonly #status = make('p', 'chat-status');
  readonly #retry: HTMLButtonElement;
  readonly #pinned = make('div', 'chat-pinned');
  readonly #rules = make('p', 'chat-rules hint');
  #pinnedSeq: number | null = null;
  #connectingSince = performance.now();
  #isDue = false;

  constructor(root: HTMLElement, chat: Chat, ports: PanelPorts) {
    this.#chat = chat;
    this.#composer = new Composer(chat);
    this.#menu = new ActionMenu(root, 'What to do');
    this.#retry = textButton('Try again', () => {
      chat.renew();
    });
    this.#reactions = new ReactionBar((emoji) => {
      chat.tap(emoji);
      ports.onTap(emoji);
    });
    const newer = make('button', 'chat-newer');
    const list = make('div', 'chat-lines');
    this.#lines = this.#makeLines(list, newer);
    const dialog = new RulesDialog(chat, (text) => {
      this.tell(text);
    });
    this.#rulesButton.addEventListener('click', () => {
      dialog.open();
    });
    root.append(...this.#parts(list, newer), dialog.element);
    this.#dress(list, newer);
    setInterval(() => {
      if (!document.hidden) this.#composer.refresh();
      this.#showStatus();
    }, TICK_MS);
    this.#draw();
  }

  /** Something was refused. */
  tell(text: string): void {
    this.#composer.tell(text);
  }

  /** Draws anew with the next frame: what comes together is drawn at once. */
  refresh(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #parts(list: HTMLElement, newer: HTMLElement): HTMLElement[] {
    const head = make(
      'div',
      'chat-head',
      make('h2', '', 'Chat'),
      this.#presence,
      this.#follow,
      this.#rulesButton,
    );
    return [
      head,
      this.#goal.element,
      this.#pinned,
      make('div', 'chat-body', list, newer),
      this.#status,
      this.#reactions.element,
      this.#rules,
      this.#composer.element,
    ];
  }

  #dress(list: HTMLElement, newer: HTMLButtonElement): void {
    list.setAttribute('role', 'log');
    list.setAttribute('aria-live', 'polite');
    list.setAttribute('aria-label', 'Messages');
    list.tabIndex = 0;
    newer.type = this.#follow.type = this.#rulesButton.type = 'button';
    newer.hidden = true;
    newer.addEventListener('click', () => {
      this.#lines.toEnd();
    });
    this.#status.setAttribute('role', 'status');
    this.#pinned.hidden = true;
    this.#follow.addEventListener('click', () => {
      this.#chat.follow(!this.#chat.room.following);
    });
  }

  #makeLines(list: HTMLElement, newer: HTMLButtonElement): Lines {
    const chat = this.#chat;
    const actions = (line: Line): ReturnType<typeof actionsFor> =>
      actionsFor(line, chat, (action) => {
        this.#moderate(action);
      });
    return new Lines(list, {
      nameOf: (author) => chat.nameOf(author),
      hasMenu: (line) => actions(line).length > 0,
      onMenu: (line, button) => {
        this.#menu.toggle(button, actions(line));
      },
      onAgain: (id) => {
        chat.sendAgain(id);
      },
      onDiscard: (id) => {
        chat.discard(id);
      },
      onUnseen: (count) => {
        newer.hidden = count === 0;
        setText(newer, count === 1 ? '1 new message ↓' : `${count} new messages ↓`);
      },
    });
  }

  #moderate(action: Action): void {
    if (!this.#chat.moderate(action)) this.tell('The chat isn’t connected. Nothing was done.');
  }

  #draw(): void {
    const { room, state, lines } = this.#chat;
    const { moderate } = room.rights;
    const seen = lines.filter(({ entry }) => moderate || entry.type !== 'action');
    this.#lines.show(seen, `${String(moderate)} ${room.self?.id ?? ''}`);
    this.#goal.show(room.goal);
    this.#showPinned();
    this.#reactions.show(room.reactions, state.name === 'ready');
    this.#showHead();
    setText(this.#rules, describeRules(room.rules));
    this.#composer.refresh();
    this.#showStatus();
  }

  #showHead(): void {
    const { room, state } = this.#chat;
    setText(this.#presence, room.presence === null ? '' : `${room.presence.chatters} here`);
    this.#rulesButton.hidden = !room.rights.moderate;
    this.#follow.hidden = room.self === null || room.rights.stream;
    this.#follow.disabled = state.name !== 'ready';
    this.#follow.setAttribute('aria-pressed', String(room.following));
    setText(this.#follow, room.following ? 'Following' : 'Follow');
  }

  #showPinned(): void {
    const { pinned, room } = this.#chat;
    this.#pinned.hidden = pinned === null;
    const key = pinned === null ? null : pinned.seq;
    if (key === this.#pinnedSeq) return;
    this.#pinnedSeq = key;
    if (pinned === null) return;
    const text = make('bdi', 'chat-text', pinned.text);
    this.#pinned.replaceChildren(
      make('span', 'chat-pin', 'Pinned'),
      ...authorParts(pinned.author),
      text,
    );
    if (!room.rights.moderate) return;
    const unpin = textButton('Unpin', () => {
      this.#moderate({ kind: 'pin', seq: null });
    });
    this.#pinned.append(' ', unpin);
  }

  #showStatus(): void {
    const { state } = this.#chat;
    const now = performance.now();
    if (state.name === 'ready') this.#connectingSince = now;
    const isSlow = now - this.#connectingSince > PATIENCE_MS;
    let text = '';
    if (state.name === 'refused') {
      text = describeRefusal({ ...state, type: 'error', id: null, retryAfterS: null });
    } else if (state.name === 'pausing' && state.attempt > 2) {
      text = 'The chat isn’t there yet, or can’t be reached. It’s tried again by itself.';
    } else if (state.name === 'off') {
      text = 'The chat comes with the channel’s first broadcast.';
    } else if (state.name !== 'ready' && isSlow) {
      text = 'Connecting to the chat…';
    }
    if (this.#status.dataset.text === text) return;
    this.#status.dataset.text = text;
    this.#status.replaceChildren(text);
    if (state.name === 'refused') this.#status.append(' ', this.#retry);
  }
}
