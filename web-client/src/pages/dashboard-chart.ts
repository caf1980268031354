import { axisTop, pathOf, SIDE, type Kind, type Values } from '../dashboard/chart.ts';
import { make, setText } from '../shared/dom.ts';

/** One row of values in a chart. */
export interface Drawn {
  kind: Kind;
  values: Values;
  /** What it is, for the legend; it has none without. */
  name?: string;
}

export interface ChartContent {
  drawn: readonly Drawn[];
  /** What a value at the axis is called. */
  format: (value: number) => string;
  /** The axis goes at least so high. */
  least: number;
  /** Under the axis, from the left to the right. */
  times: readonly string[];
  /** What it shows, in words. */
  summary: string;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A chart with its labels. What it shows is said in words, too. */
export class Chart {
  readonly element: HTMLElement;
  readonly #svg = document.createElementNS(SVG, 'svg');
  readonly #levels = make('div', 'chart-levels');
  readonly #times = make('div', 'chart-times');
  readonly #legend = make('p', 'chart-legend');
  #shown = '';

  /** `isSmall`: no labels but what stands beside it. */
  constructor(title: string, isSmall = false) {
    this.#svg.setAttribute('viewBox', `0 0 ${SIDE} ${SIDE}`);
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('role', 'img');
    this.#svg.setAttribute('class', 'chart-plot');
    for (const labels of [this.#levels, this.#times]) labels.setAttribute('aria-hidden', 'true');
    const parts = [this.#levels, this.#svg, this.#times];
    const plot = make('div', isSmall ? 'chart small' : 'chart', ...parts);
    this.element = make('figure', 'chart-figure', plot);
    if (isSmall) return;
    this.element.prepend(make('figcaption', 'chart-title', title));
    this.element.append(this.#legend);
  }

  show({ drawn, format, least, times, summary }: ChartContent): void {
    const top = axisTop(
      drawn.flatMap(({ values }) => values),
      least,
    );
    const paths = drawn.map(({ kind, values }) => pathOf(kind, values, top));
    const levels = [top, top / 2, 0].map(format);
    const key = JSON.stringify([paths, levels, times, summary]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#svg.setAttribute('aria-label', summary);
    this.#svg.replaceChildren(
      grid(),
      ...paths.map((d, index) => makePath(d, `chart-${drawn[index]?.kind ?? 'line'} c${index}`)),
    );
    this.#levels.replaceChildren(...levels.map((level) => make('span', '', level)));
    this.#times.replaceChildren(...times.map((time) => make('span', '', time)));
    this.#showLegend(drawn);
  }

  #showLegend(drawn: readonly Drawn[]): void {
    const named = drawn.filter(({ name }) => name !== undefined);
    this.#legend.replaceChildren(
      ...named.map(({ name = '' }) => {
        const entry = make('span', `legend c${drawn.findIndex((each) => each.name === name)}`);
        setText(entry, name);
        return entry;
      }),
    );
  }
}

/** At the labelled levels. */
function grid(): SVGPathElement {
  return makePath(`M0 0H${SIDE}M0 ${SIDE / 2}H${SIDE}M0 ${SIDE}H${SIDE}`, 'chart-grid');
}

function makePath(d: string, className: string): SVGPathElement {
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', d);
  path.setAttribute('class', className);
  return path;
}
