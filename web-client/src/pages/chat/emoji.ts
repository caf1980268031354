import { make } from '../../shared/dom.ts';

/** What is picked from: some of the most common, with the names that are spoken. */
const EMOJI: readonly (readonly [string, string])[] = [
  ['😀', 'grinning'],
  ['😂', 'tears of joy'],
  ['🤣', 'rolling on the floor'],
  ['😊', 'smiling'],
  ['😍', 'heart eyes'],
  ['🥰', 'in love'],
  ['😘', 'kiss'],
  ['😎', 'cool'],
  ['🤔', 'thinking'],
  ['😅', 'phew'],
  ['😉', 'wink'],
  ['🙂', 'slight smile'],
  ['😇', 'innocent'],
  ['🤩', 'star-struck'],
  ['😋', 'yummy'],
  ['😏', 'smirk'],
  ['😴', 'asleep'],
  ['😢', 'crying'],
  ['😭', 'sobbing'],
  ['😡', 'angry'],
  ['😱', 'screaming'],
  ['🤯', 'mind blown'],
  ['🥳', 'party face'],
  ['😳', 'flushed'],
  ['🙄', 'rolling eyes'],
  ['😬', 'grimace'],
  ['🤗', 'hug'],
  ['🤫', 'hush'],
  ['🫡', 'salute'],
  ['💀', 'skull'],
  ['👍', 'thumbs up'],
  ['👎', 'thumbs down'],
  ['👏', 'clapping'],
  ['🙌', 'raised hands'],
  ['🙏', 'thanks'],
  ['💪', 'strong'],
  ['👋', 'waving'],
  ['🤝', 'handshake'],
  ['👌', 'OK'],
  ['✌️', 'victory'],
  ['🤞', 'fingers crossed'],
  ['👀', 'eyes'],
  ['❤️', 'red heart'],
  ['🧡', 'orange heart'],
  ['💛', 'yellow heart'],
  ['💚', 'green heart'],
  ['💙', 'blue heart'],
  ['💜', 'purple heart'],
  ['🖤', 'black heart'],
  ['💔', 'broken heart'],
  ['🔥', 'fire'],
  ['✨', 'sparkles'],
  ['⭐', 'star'],
  ['💯', 'hundred'],
  ['🎉', 'tada'],
  ['🎂', 'cake'],
  ['🎮', 'game'],
  ['🎵', 'music'],
  ['🎤', 'microphone'],
  ['🏆', 'trophy'],
  ['🚀', 'rocket'],
  ['⚡', 'lightning'],
  ['🌈', 'rainbow'],
  ['☀️', 'sun'],
  ['☕', 'coffee'],
  ['🍕', 'pizza'],
  ['🐱', 'cat'],
  ['🐶', 'dog'],
  ['🤖', 'robot'],
  ['👑', 'crown'],
  ['✅', 'check'],
  ['❌', 'cross'],
];

const COLUMNS = 8;

/** A grid of emoji that one is picked from, by pointer or keyboard. Shown by `toggle`, gone by Escape or a click elsewhere. */
export class EmojiPicker {
  readonly element = make('div', 'chat-emoji');
  readonly #button: HTMLButtonElement;
  readonly #onPick: (emoji: string) => void;
  #items: HTMLButtonElement[] = [];

  constructor(button: HTMLButtonElement, onPick: (emoji: string) => void) {
    this.#button = button;
    this.#onPick = onPick;
    const { element } = this;
    element.setAttribute('role', 'group');
    element.setAttribute('aria-label', 'Emoji');
    element.hidden = true;
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => {
      this.toggle();
    });
    element.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    document.addEventListener('pointerdown', ({ target }) => {
      const isOurs =
        target instanceof Node && (element.contains(target) || button.contains(target));
      if (!isOurs) this.close();
    });
  }

  toggle(): void {
    if (!this.element.hidden) {
      this.close();
      return;
    }
    if (this.#items.length === 0) this.#fill();
    this.element.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
    this.#items.find(({ tabIndex }) => tabIndex === 0)?.focus();
  }

  close(): void {
    this.element.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
  }

  #fill(): void {
    this.#items = EMOJI.map(([emoji, name], place) => {
      const item = make('button', 'chat-emoji-item', emoji);
      item.type = 'button';
      item.title = name;
      item.setAttribute('aria-label', name);
      item.tabIndex = place === 0 ? 0 : -1;
      item.addEventListener('click', () => {
        this.#onPick(emoji);
      });
      return item;
    });
    this.element.append(...this.#items);
  }

  #key(event: KeyboardEvent): void {
    const place = this.#items.findIndex((item) => item === document.activeElement);
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: COLUMNS,
      ArrowUp: -COLUMNS,
      Home: -place,
      End: this.#items.length - 1 - place,
    };
    const step = steps[event.key];
    if (event.key === 'Escape') {
      this.close();
      this.#button.focus();
    } else if (step !== undefined) {
      this.#moveTo(place + step);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #moveTo(place: number): void {
    const item = this.#items[place];
    if (item === undefined) return;
    for (const each of this.#items) each.tabIndex = each === item ? 0 : -1;
    item.focus();
  }
}
