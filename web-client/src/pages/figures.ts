import { make, setText } from '../shared/dom.ts';

/** Fills a list of figures in place, each in a block of its own; blocks keep their elements. */
export function showFigures(
  list: HTMLDListElement,
  figures: readonly (readonly [string, string])[],
): void {
  while (list.children.length > figures.length) list.lastElementChild?.remove();
  figures.forEach(([name, value], index) => {
    if (list.children[index] === undefined) {
      list.append(make('div', '', make('dt', ''), make('dd', '')));
    }
    const block = list.children[index];
    if (block?.firstElementChild) setText(block.firstElementChild, name);
    if (block?.lastElementChild) setText(block.lastElementChild, value);
  });
}
