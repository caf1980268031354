/** The element of the page with this id. The page and its script are one unit: a missing one is our own mistake. */
export function byId<Type extends Element>(id: string, type: abstract new () => Type): Type {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} #${id}.`);
  return found;
}

/** A new element with a class and children. Strings become text, never markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Sets a text only if it changes, so that screen readers hear each news once. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  play: 'M7 4.500v15l12-7.500z',
  pause: 'M7 5h3.2v14H7zM13.8 5H17v14h-3.2z',
  sound: 'M4 9.500v5h3.500L12 19V5L7.5 9.500zM15.5 9a4 4 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11',
  muted: 'M4 9.500v5h3.500L12 19V5L7.5 9.500zM16 9.500l5 5M21 9.500l-5 5',
  quality: 'M4 7h8M18 7h2M4 17h3M13 17h7M15 4.500v5M10 14.500v5',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  stats: 'M5 20v-7M12 20V4M19 20v-11',
  pip: 'M3 5h18v14H3zM12 12h6v4h-6z',
  fullscreen: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  speed: 'M4 16a8 8 0 1 1 16 0M12 16l4-5',
  captions: 'M3 6h18v12H3zM10 10.500a2 2 0 1 0 0 3M17 10.500a2 2 0 1 0 0 3',
  replay: 'M5 8V3M5 8h5M5.500 8a8 8 0 1 1-1.300 5',
  leave: 'M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5',
} as const;

export type Icon = keyof typeof ICONS;

const SOLID: ReadonlySet<Icon> = new Set(['play', 'pause']);

/** Gives a button an icon and a name that is spoken and shown as its tooltip. */
export function dress(button: HTMLButtonElement, icon: Icon, name: string): void {
  if (button.title === name) return;
  button.title = name;
  button.setAttribute('aria-label', name);
  button.replaceChildren(makeIcon(icon));
}

export function makeIcon(icon: Icon): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', SOLID.has(icon) ? 'icon solid' : 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[icon]);
  svg.append(path);
  return svg;
}

/** Fills a description list in place, one row for each pair; rows keep their elements. */
export function fillList(
  list: HTMLDListElement,
  rows: readonly (readonly [string, string])[],
): void {
  while (list.children.length > rows.length * 2) list.lastElementChild?.remove();
  rows.forEach(([name, value], index) => {
    if (list.children.length < (index + 1) * 2) list.append(make('dt', ''), make('dd', ''));
    const [term, description] = [list.children[index * 2], list.children[index * 2 + 1]];
    if (term !== undefined) setText(term, name);
    if (description !== undefined) setText(description, value);
  });
}
