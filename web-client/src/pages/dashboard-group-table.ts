import { make } from '../shared/dom.ts';
import { cell, Rows } from './dashboard-rows.ts';

const COLUMNS: readonly string[] = ['Joins', 'Watched', 'Latency, p50 · p95', 'Stalled'];

/** What those have told who have something in common, as a table with a row for each. */
export class GroupTable {
  readonly element: HTMLElement;
  readonly #columns: readonly string[];
  readonly #rows: Rows;

  constructor(title: string, columns = COLUMNS) {
    this.#columns = columns;
    const head = make('tr', '', ...['', ...columns].map(headCell));
    const body = make('tbody', '');
    this.#rows = new Rows(body);
    const caption = make('caption', 'table-title', title);
    const table = make('table', 'figures-table stacked', caption, make('thead', '', head), body);
    this.element = make('div', 'card scroll', table);
    this.element.setAttribute('role', 'region');
    this.element.setAttribute('aria-label', title);
    this.element.tabIndex = 0;
  }

  /** The first of each row is its name. */
  show(rows: readonly (readonly string[])[]): void {
    this.element.hidden = rows.length === 0;
    this.#rows.show(
      rows.map((row) => row.map((text, index) => cell(this.#columns[index - 1] ?? '', text))),
    );
  }
}

function headCell(name: string): HTMLTableCellElement {
  if (name === '') return make('td', '');
  const element = make('th', '', name);
  element.scope = 'col';
  return element;
}
