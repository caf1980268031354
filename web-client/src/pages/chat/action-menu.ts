import { make } from '../../shared/dom.ts';

/** What can be done with something. */
export interface MenuAction {
  name: string;
  isDangerous?: boolean;
  run: () => void;
}

/** Room that is left to the edges of the window, in pixels. */
const EDGE = 8;

/** One menu for many buttons: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/ */
export class ActionMenu {
  readonly #menu = make('div', 'chat-menu');
  #button: HTMLButtonElement | null = null;
  /** What comes after the menu was closed without a choice has the focus by itself. */
  #open = false;

  /** `root` holds the buttons as well. */
  constructor(root: HTMLElement, label: string) {
    const menu = this.#menu;
    menu.setAttribute('role', 'menu');
    menu.setAttribute('aria-label', label);
    menu.hidden = true;
    root.append(menu);
    menu.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    menu.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !menu.contains(relatedTarget)) this.close();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      const isOurs =
        target instanceof Node && (menu.contains(target) || this.#button?.contains(target));
      if (isOurs !== true) this.close();
    });
    for (const type of ['resize', 'scroll'] as const) {
      window.addEventListener(
        type,
        () => {
          this.close();
        },
        true,
      );
    }
  }

  toggle(button: HTMLButtonElement, actions: readonly MenuAction[]): void {
    const isSame = this.#open && this.#button === button;
    this.close();
    if (isSame) return;
    this.#button = button;
    this.#open = true;
    button.setAttribute('aria-expanded', 'true');
    this.#menu.replaceChildren(...actions.map((action) => this.#item(action)));
    this.#menu.hidden = false;
    this.#place(button);
    this.#items()[0]?.focus({ preventScroll: true });
  }

  close(): void {
    if (!this.#open) return;
    const hadFocus = this.#menu.contains(document.activeElement);
    this.#open = false;
    this.#menu.hidden = true;
    this.#button?.setAttribute('aria-expanded', 'false');
    if (hadFocus) this.#button?.focus({ preventScroll: true });
    this.#button = null;
  }

  /** Under the button, or over it where there's no room. */
  #place(button: HTMLButtonElement): void {
    const [of, menu] = [button.getBoundingClientRect(), this.#menu.getBoundingClientRect()];
    const below = of.bottom + 4;
    const fits = below + menu.height + EDGE <= window.innerHeight;
    const top = fits ? below : Math.max(EDGE, of.top - menu.height - 4);
    const left = Math.max(EDGE, Math.min(of.right, window.innerWidth - EDGE) - menu.width);
    this.#menu.style.setProperty('top', `${top}px`);
    this.#menu.style.setProperty('left', `${left}px`);
  }

  #items(): HTMLButtonElement[] {
    return [...this.#menu.querySelectorAll('button')];
  }

  #item({ name, isDangerous, run }: MenuAction): HTMLButtonElement {
    const item = make(
      'button',
      isDangerous === true ? 'chat-menu-item danger' : 'chat-menu-item',
      name,
    );
    item.type = 'button';
    item.setAttribute('role', 'menuitem');
    item.tabIndex = -1;
    item.addEventListener('click', () => {
      this.close();
      run();
    });
    return item;
  }

  #key(event: KeyboardEvent): void {
    const items = this.#items();
    const place = items.findIndex((item) => item === document.activeElement);
    const places: Readonly<Record<string, number>> = {
      ArrowDown: (place + 1) % items.length,
      ArrowUp: (place - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1,
    };
    const next = places[event.key];
    if (event.key === 'Escape') this.close();
    else if (next !== undefined) items[next]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
