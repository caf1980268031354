import { make } from '../../shared/dom.ts';

/** The emoji that one can react with: each tap counts. */
export class ReactionBar {
  readonly element = make('div', 'chat-reactions');
  readonly #onTap: (emoji: string) => void;
  #shown = '';

  constructor(onTap: (emoji: string) => void) {
    this.#onTap = onTap;
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', 'Reactions');
    this.element.hidden = true;
  }

  show(reactions: readonly string[], canTap: boolean): void {
    const key = reactions.join(' ');
    if (key !== this.#shown) {
      this.#shown = key;
      this.element.replaceChildren(...reactions.map((emoji) => this.#button(emoji)));
      this.element.hidden = reactions.length === 0;
    }
    for (const button of this.element.querySelectorAll('button')) button.disabled = !canTap;
  }

  #button(emoji: string): HTMLButtonElement {
    const button = make('button', 'chat-reaction', emoji);
    button.type = 'button';
    button.setAttribute('aria-label', `React with ${emoji}`);
    button.addEventListener('click', () => {
      this.#onTap(emoji);
    });
    return button;
  }
}
