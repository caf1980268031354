import { byId, make, makeIcon, setText } from '../shared/dom.ts';
import { postJson } from '../shared/http.ts';
import { detailOf, linesOf, type Quality, type VideoLayer } from '../whep/layers.ts';
import { QualityChoice, type QualityPorts } from '../whep/quality.ts';

/** What the menu shows, for tests and the curious. */
export interface QualityView {
  /** What plays, as the button says it. */
  now: string;
  /** The chosen quality, or null for automatic. */
  chosen: string | null;
  names: string[];
}

/** The menu of qualities: automatic, and each size that the broadcast has. */
export class QualityMenu {
  readonly #root = byId('quality', HTMLElement);
  readonly #button = byId('quality-button', HTMLButtonElement);
  readonly #now = byId('quality-now', HTMLElement);
  readonly #menu = byId('quality-menu', HTMLElement);
  readonly #video = byId('video', HTMLVideoElement);
  readonly #choice: QualityChoice;
  #shown = '';

  constructor(linked: string, post: QualityPorts['post'] = postJson) {
    this.#choice = new QualityChoice(linked, {
      onChange: () => {
        this.#refresh();
      },
      storage: localStorage,
      post,
    });
    this.#button.prepend(makeIcon('quality'));
    this.#button.addEventListener('click', () => {
      this.toggle();
    });
    this.#root.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    this.#root.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !this.#root.contains(relatedTarget)) this.#close();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && !this.#root.contains(target)) this.#close();
    });
    this.#video.addEventListener('resize', () => {
      this.#refresh();
    });
  }

  get view(): QualityView {
    const { chosen, qualities } = this.#choice;
    return {
      now: this.#text(),
      chosen: chosen?.name ?? null,
      names: qualities.map(({ name }) => name),
    };
  }

  sessionOpened(layerUrl: string | null): void {
    this.#choice.sessionOpened(layerUrl);
  }

  setLayers(layers: readonly VideoLayer[]): void {
    this.#choice.setLayers(layers);
  }

  toggle(): void {
    if (this.#isOpen) this.#close();
    else this.#open();
  }

  get #isOpen(): boolean {
    return !this.#menu.hidden;
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

  /** As menus do: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/ */
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

  #refresh(): void {
    const { qualities, chosen } = this.#choice;
    if (qualities.length === 0) this.#close();
    this.#root.hidden = qualities.length === 0;
    const now = this.#text();
    setText(this.#now, now);
    this.#button.title = `Quality: ${now}`;
    this.#button.setAttribute('aria-label', this.#button.title);
    this.#fill(qualities);
    this.#describe(qualities);
    const ids = [null, ...qualities.map(({ id }) => id)];
    this.#items().forEach((item, place) => {
      item.ariaChecked = String((chosen?.id ?? null) === ids[place]);
    });
  }

  /** What plays: automatic or pinned, and the picture's size where that doesn't say it. */
  #text(): string {
    const { chosen } = this.#choice;
    const lines = this.#lines();
    const name = chosen?.name ?? 'Auto';
    return lines === 0 || lines === chosen?.lines ? name : `${name} (${lines}p)`;
  }

  /** Rebuilding the items would take the focus from them, so only other qualities do it. */
  #fill(qualities: readonly Quality[]): void {
    const keys = JSON.stringify(qualities.map(({ id, name }) => [id, name]));
    if (keys !== this.#shown) {
      this.#shown = keys;
      const focused = this.#items().findIndex((item) => item === document.activeElement);
      this.#menu.replaceChildren(
        this.#item(null, 'Auto'),
        ...qualities.map((quality) => this.#item(quality.id, quality.name)),
      );
      if (focused >= 0) (this.#items()[focused] ?? this.#items()[0])?.focus();
    }
  }

  /** Small screens show no words beside the button, so the menu says what automatic has come to. */
  #describe(qualities: readonly Quality[]): void {
    const lines = this.#lines();
    const isAutomatic = this.#choice.chosen === null && lines > 0;
    const details = [isAutomatic ? `now ${lines}p` : '', ...qualities.map(detailOf)];
    this.#menu.querySelectorAll('.menu-detail').forEach((detail, place) => {
      setText(detail, details[place] ?? '');
    });
  }

  /** Of the picture that plays; 0 before there is one. */
  #lines(): number {
    return linesOf(this.#video.videoWidth, this.#video.videoHeight);
  }

  #item(id: string | null, name: string): HTMLButtonElement {
    const item = make(
      'button',
      'menu-item',
      makeIcon('check'),
      make('span', '', name),
      make('span', 'menu-detail'),
    );
    item.type = 'button';
    item.setAttribute('role', 'menuitemradio');
    item.tabIndex = -1;
    item.addEventListener('click', () => {
      const picked = this.#choice.qualities.find((quality) => quality.id === id);
      this.#choice.choose(picked ?? null);
      this.#close();
    });
    return item;
  }
}
