import type { Line } from '../../chat/log.ts';
import type { ActionEntry, Author, EventEntry, MessageEntry } from '../../chat/protocol.ts';
import { describeAction, describeEvent, hueOf } from '../../chat/words.ts';
import { make, setText } from '../../shared/dom.ts';

/** Nearer to its end than that, in pixels, the list is at its end. */
const NEAR_END = 48;

export interface LinePorts {
  nameOf: (author: string) => string;
  /** Whether anything can be done with a line, and what happens when its button is pressed. */
  hasMenu: (line: Line) => boolean;
  onMenu: (line: Line, button: HTMLButtonElement) => void;
  onAgain: (id: string) => void;
  onDiscard: (id: string) => void;
  /** So many came that are below what is seen. */
  onUnseen: (count: number) => void;
}

interface Shown {
  line: Line;
  element: HTMLElement;
}

/** The chat's lines, at their end unless the reader has scrolled up. All that comes from the network is set as text. */
export class Lines {
  readonly #list: HTMLElement;
  readonly #ports: LinePorts;
  readonly #shown = new Map<string, Shown>();
  #isAtEnd = true;
  #unseen = 0;
  #context = '';

  constructor(list: HTMLElement, ports: LinePorts) {
    this.#list = list;
    this.#ports = ports;
    list.addEventListener(
      'scroll',
      () => {
        this.#isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
        if (this.#isAtEnd) this.#seen();
      },
      { passive: true },
    );
    // A picture that grows, or a keyboard that opens, takes the list's end away.
    new ResizeObserver(() => {
      if (this.#isAtEnd) this.toEnd();
    }).observe(list);
  }

  /** `context`: what else the lines depend on; all are made anew when it changes. */
  show(lines: readonly Line[], context: string): void {
    if (context !== this.#context) this.#clear();
    this.#context = context;
    const keys = new Set(lines.map(({ key }) => key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    const fresh = this.#fill(lines);
    if (this.#isAtEnd) this.toEnd();
    else if (fresh > 0) {
      this.#unseen += fresh;
      this.#ports.onUnseen(this.#unseen);
    }
  }

  toEnd(): void {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#isAtEnd = true;
    this.#seen();
  }

  #clear(): void {
    this.#list.replaceChildren();
    this.#shown.clear();
  }

  #seen(): void {
    if (this.#unseen === 0) return;
    this.#unseen = 0;
    this.#ports.onUnseen(0);
  }

  /** Gives how many lines are new. */
  #fill(lines: readonly Line[]): number {
    let fresh = 0;
    let place = this.#list.firstElementChild;
    for (const line of lines) {
      const known = this.#shown.get(line.key);
      if (known?.line === line) {
        if (known.element === place) place = place.nextElementSibling;
        else this.#list.insertBefore(known.element, place);
        continue;
      }
      const element = this.#make(line);
      if (known === undefined) {
        this.#list.insertBefore(element, place);
        fresh += 1;
      } else {
        if (known.element === place) place = place.nextElementSibling;
        known.element.remove();
        this.#list.insertBefore(element, place);
      }
      this.#shown.set(line.key, { line, element });
    }
    return fresh;
  }

  #make(line: Line): HTMLElement {
    const { entry } = line;
    const element =
      entry.type === 'message'
        ? this.#message(line, entry)
        : entry.type === 'event'
          ? eventCard(entry)
          : this.#action(entry);
    element.dataset.seq = String(entry.seq);
    if (this.#ports.hasMenu(line)) element.append(this.#menuButton(line));
    return element;
  }

  #message(line: Line, entry: MessageEntry): HTMLElement {
    const said = entry.deleted ? 'Message deleted' : entry.text;
    const text = make('bdi', 'chat-text', said);
    const element = make('div', 'chat-line', ...authorParts(entry.author), text);
    element.classList.toggle('deleted', entry.deleted);
    element.classList.toggle('pending', line.isPending);
    if (line.isPending) element.append(make('span', 'visually-hidden', ' (being sent)'));
    if (line.refused !== null) this.#addRefusal(element, entry.id, line.refused);
    return element;
  }

  #addRefusal(element: HTMLElement, id: string, reason: string): void {
    const again = textButton('Send again', () => {
      this.#ports.onAgain(id);
    });
    const discard = textButton('Discard', () => {
      this.#ports.onDiscard(id);
    });
    element.classList.add('refused');
    element.append(
      make('div', 'chat-refusal', make('span', '', `Not sent. ${reason}`), again, discard),
    );
  }

  #action(entry: ActionEntry): HTMLElement {
    const what = describeAction(entry, this.#ports.nameOf);
    const by = make('bdi', '', entry.by.name);
    return make('div', 'chat-line chat-action', by, ` ${what}`);
  }

  #menuButton(line: Line): HTMLButtonElement {
    const button = make('button', 'chat-more', '⋯');
    button.type = 'button';
    button.title = 'What to do with this';
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-haspopup', 'menu');
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => {
      this.#ports.onMenu(line, button);
    });
    return button;
  }
}

const BADGES: Readonly<Record<Author['role'], string>> = {
  viewer: '',
  moderator: 'Mod',
  streamer: 'Streamer',
};

/** A name in its colour, after the badge of its role. */
export function authorParts({ id, name, role }: Author): (Node | string)[] {
  const shown = make('bdi', 'chat-name', name);
  shown.style.setProperty('--hue', String(hueOf(id)));
  const badge = BADGES[role];
  const parts = badge === '' ? [] : [make('span', `chat-badge ${role}`, badge), ' '];
  return [...parts, shown, make('span', 'chat-colon', ': ')];
}

/** What somebody did for the channel. */
export function eventCard({ event }: EventEntry): HTMLElement {
  const head = make(
    'div',
    'chat-card-head',
    make('bdi', 'chat-card-name', event.name || 'Somebody'),
    ` ${describeEvent(event)}`,
  );
  const card = make('div', `chat-card ${event.kind}`, head);
  if (event.text !== '') card.append(make('bdi', 'chat-card-text', event.text));
  return card;
}

export function textButton(name: string, onClick: () => void): HTMLButtonElement {
  const button = make('button', 'text-button');
  button.type = 'button';
  setText(button, name);
  button.addEventListener('click', onClick);
  return button;
}
