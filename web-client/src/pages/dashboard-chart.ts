import {
  axisTop,
  middle,
  pathOf,
  SIDE,
  stepAt,
  type Kind,
  type Values,
} from '../dashboard/chart.ts';
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
  /** What a step shows, in words; nothing is shown under the pointer without. */
  read?: (step: number) => string;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A chart with its labels. What it shows is said in words, too. */
export class Chart {
  readonly element: HTMLElement;
  readonly #svg = document.createElementNS(SVG, 'svg');
  readonly #levels = make('div', 'chart-levels');
  readonly #times = make('div', 'chart-times');
  readonly #legend = make('p', 'chart-legend');
  readonly #reading = make('span', 'chart-reading');
  readonly #cursor = makePath('', 'chart-cursor');
  #content: ChartContent | null = null;
  #shown = '';

  /** `isSmall`: no labels but what stands beside it. */
  constructor(title: string, isSmall = false) {
    this.#svg.setAttribute('viewBox', `0 0 ${SIDE} ${SIDE}`);
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('role', 'img');
    this.#svg.setAttribute('class', 'chart-plot');
    for (const labels of [this.#levels, this.#times, this.#reading]) {
      labels.setAttribute('aria-hidden', 'true');
    }
    const parts = [this.#levels, this.#svg, this.#times];
    const plot = make('div', isSmall ? 'chart small' : 'chart', ...parts);
    this.element = make('figure', 'chart-figure', plot);
    if (isSmall) return;
    this.element.prepend(make('figcaption', 'chart-title', title, this.#reading));
    this.element.append(this.#legend);
    for (const type of ['pointermove', 'pointerdown'] as const) {
      this.#svg.addEventListener(type, ({ clientX }) => {
        const { left, width } = this.#svg.getBoundingClientRect();
        this.#point((clientX - left) / width);
      });
    }
    this.#svg.addEventListener('pointerleave', () => {
      this.#point(NaN);
    });
  }

  show(content: ChartContent): void {
    this.#content = content;
    const { drawn, format, least, times, summary } = content;
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
      this.#cursor,
    );
    this.#levels.replaceChildren(...levels.map((level) => make('span', '', level)));
    this.#times.replaceChildren(...times.map((time) => make('span', '', time)));
    this.#showLegend(drawn);
  }

  /** Says what is at a share of the width; NaN: nothing is pointed at. */
  #point(share: number): void {
    const { drawn = [], read } = this.#content ?? {};
    const steps = drawn[0]?.values.length ?? 0;
    const step = read === undefined ? null : stepAt(share, steps);
    setText(this.#reading, step === null ? '' : (read?.(step) ?? ''));
    this.#cursor.setAttribute('d', step === null ? '' : `M${middle(step, steps)} 0V${SIDE}`);
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
