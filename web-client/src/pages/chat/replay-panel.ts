import type { Line } from '../../chat/log.ts';
import { make, setText } from '../../shared/dom.ts';
import { Lines } from './lines.ts';

/** What was said in a broadcast that is over, to be read only. */
export class ReplayPanel {
  readonly #list = make('div', 'chat-lines');
  readonly #newer = make('button', 'chat-newer');
  readonly #status = make('p', 'chat-status');
  readonly #lines: Lines;

  constructor(root: HTMLElement) {
    this.#lines = new Lines(this.#list, {
      nameOf: () => '',
      hasMenu: () => false,
      onMenu: () => undefined,
      onAgain: () => undefined,
      onDiscard: () => undefined,
      onUnseen: (count) => {
        this.#newer.hidden = count === 0;
        setText(this.#newer, count === 1 ? '1 further message ↓' : `${count} further messages ↓`);
      },
    });
    const note = make('span', 'chat-presence muted', 'as it was then');
    root.append(
      make('div', 'chat-head', make('h2', '', 'Chat'), note),
      make('div', 'chat-body', this.#list, this.#newer),
      this.#status,
    );
    this.#dress();
  }

  /** `isJump`: the viewer has gone to another moment, whose lines are no news. */
  show(lines: readonly Line[], isJump: boolean): void {
    this.#list.ariaLive = isJump ? 'off' : 'polite';
    this.#lines.show(lines, '');
    if (isJump) this.#lines.toEnd();
  }

  /** What there is to know of the chat besides; empty: nothing. */
  tell(text: string): void {
    setText(this.#status, text);
  }

  #dress(): void {
    this.#list.role = 'log';
    this.#list.ariaLive = 'polite';
    this.#list.ariaLabel = 'Messages';
    this.#list.tabIndex = 0;
    this.#status.role = 'status';
    this.#newer.type = 'button';
    this.#newer.hidden = true;
    this.#newer.addEventListener('click', () => {
      this.#lines.toEnd();
    });
  }
}
