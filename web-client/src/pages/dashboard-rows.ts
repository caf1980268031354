import { make } from '../shared/dom.ts';

/** A cell; `name` is its column's, for screens that are too narrow for columns. */
export function cell(name: string, ...children: (Node | string)[]): HTMLTableCellElement {
  const element = make('td', '', ...children);
  if (name !== '') element.dataset.name = name;
  return element;
}

/** The rows of a table, which are made anew only if they say something else: the focus stays where it is. */
export class Rows {
  readonly #body: HTMLTableSectionElement;
  #shown = '';

  constructor(body: HTMLTableSectionElement) {
    this.#body = body;
  }

  show(rows: readonly (readonly HTMLTableCellElement[])[]): void {
    const key = JSON.stringify(rows.map((cells) => cells.map(sayingOf)));
    if (key === this.#shown) return;
    this.#shown = key;
    const focused = document.activeElement?.getAttribute('href');
    this.#body.replaceChildren(...rows.map((cells) => make('tr', '', ...cells)));
    if (focused === null || focused === undefined) return;
    for (const link of this.#body.querySelectorAll('a')) {
      if (link.getAttribute('href') === focused) link.focus();
    }
  }
}

function sayingOf(cell: HTMLTableCellElement): string {
  const href = cell.querySelector('a')?.getAttribute('href') ?? '';
  return `${cell.textContent} ${href}`;
}
