import { byId, dress } from '../shared/dom.ts';

/** The panel of figures over the picture, and its button. */
export class StatsPanel {
  readonly #panel = byId('stats', HTMLElement);
  readonly #button = byId('stats-toggle', HTMLButtonElement);

  constructor() {
    dress(this.#button, 'stats', 'Statistics');
    this.#button.addEventListener('click', () => {
      this.toggle();
    });
  }

  get isShown(): boolean {
    return !this.#panel.hidden;
  }

  toggle(): void {
    this.#panel.hidden = this.isShown;
    this.#button.setAttribute('aria-pressed', String(this.isShown));
  }
}
