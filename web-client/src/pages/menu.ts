import { make, makeIcon, setText, type Icon } from '../shared/dom.ts';

/** What can be picked. */
export interface MenuItem {
  id: string;
  name: string;
  detail?: string;
  isChecked: boolean;
}

/** A button and the choices that it opens: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/ */
export class Menu {
  readonly #root: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #now: Element | null;
  readonly #menu: HTMLElement;
  readonly #onPick: (id: string) => void;
  #shown = '';

  /** `root` holds the button, an element of the class `menu-now` in it, and one with the role `menu`. */
  constructor(root: HTMLElement, icon: Icon, onPick: (id: string) => void) {
    const button = root.querySelector('button');
    const menu = root.querySelector<HTMLElement>('[role="menu"]');
    if (button === null || menu === null) throw new Error(`#${root.id} is no menu.`);
    this.#root = root;
    this.#button = button;
    this.#now = root.querySelector('.menu-now');
    this.#menu = menu;
    this.#onPick = onPick;
    button.prepend(makeIcon(icon));
    this.#listen();
  }

  get names(): string[] {
    return this.#items().map((item) => item.querySelector('.menu-name')?.textContent ?? '');
  }

  /** `what` is chosen here, and `now` is what holds. Without items there is no button. */
  show(what: string, now: string, items: readonly MenuItem[]): void {
    if (items.length === 0) this.#close();
    this.#root.hidden = items.length === 0;
    if (this.#now !== null) setText(this.#now, now);
    this.#button.title = `${what}: ${now}`;
    this.#button.setAttribute('aria-label', this.#button.title);
    this.#fill(items);
    this.#items().forEach((item, place) => {
      item.ariaChecked = String(items[place]?.isChecked === true);
      const detail = item.querySelector('.menu-detail');
      if (detail !== null) setText(detail, items[place]?.detail ?? '');
    });
  }

  toggle(): void {
    if (this.#isOpen) this.#close();
    else this.#open();
  }

  get #isOpen(): boolean {
    return !this.#menu.hidden;
  }

  #listen(): void {
    const root = this.#root;
    this.#button.addEventListener('click', () => {
      this.toggle();
    });
    root.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    root.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !root.contains(relatedTarget)) this.#close();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && !root.contains(target)) this.#close();
    });
  }

  #open(): void {
    if (this.#root.hidden) return;
    this.#menu.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
    const items = this.#items();
    (items.find((item) => item.ariaChecked === 'true') ?? items[0])?.focus();
  }

  #close(): void {
    if (!this.#isOpen) return;
    const hadFocus = this.#menu.contains(document.activeElement);
    this.#menu.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
    if (hadFocus) this.#button.focus();
  }

  #key(event: KeyboardEvent): void {
    const { key } = event;
    if (!this.#isOpen) {
      if (key !== 'ArrowDown' && key !== 'ArrowUp') return;
      this.#open();
    } else if (key === 'Escape') {
      this.#close();
    } else if (!this.#moveFocus(key)) {
      return;
    }
    event.preventDefault();
  }

  #moveFocus(key: string): boolean {
    const items = this.#items();
    const place = items.findIndex((item) => item === document.activeElement);
    const places: Readonly<Record<string, number>> = {
      ArrowDown: (place + 1) % items.length,
      ArrowUp: (place - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1,
    };
    const next = places[key];
    if (next === undefined) return false;
    items[next]?.focus();
    return true;
  }

  #items(): HTMLButtonElement[] {
    return [...this.#menu.querySelectorAll('button')];
  }

  /** Rebuilding the items would take the focus from them, so only others do it. */
  #fill(items: readonly MenuItem[]): void {
    const key = JSON.stringify(items.map(({ id, name }) => [id, name]));
    if (key === this.#shown) return;
    this.#shown = key;
    const focused = this.#items().findIndex((item) => item === document.activeElement);
    this.#menu.replaceChildren(...items.map((item) => this.#item(item)));
    if (focused >= 0) (this.#items()[focused] ?? this.#items()[0])?.focus();
  }

  #item({ id, name }: MenuItem): HTMLButtonElement {
    const item = make(
      'button',
      'menu-item',
      makeIcon('check'),
      make('span', 'menu-name', name),
      make('span', 'menu-detail'),
    );
    item.type = 'button';
    item.setAttribute('role', 'menuitemradio');
    item.tabIndex = -1;
    item.addEventListener('click', () => {
      this.#onPick(id);
      this.#close();
    });
    return item;
  }
}
