/**
 * The geometry of a chart, in a square of 100 by 100 that is stretched to whatever room there is; labels stand beside it, so that
 * they aren't stretched.
 */
export const SIDE = 100;

export type Kind = 'area' | 'line' | 'bars';

/** One value a step, all of them equally long; null: there is none. */
export type Values = readonly (number | null)[];

/** How high the axis goes: a round number not below the greatest value, and at least `least`. */
export function axisTop(values: Values, least = 1): number {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const power = 10 ** Math.floor(Math.log10(most));
  // The middle of the axis is labelled, too, so it's a round number as well.
  const steps = [1, 2, 4, 6, 8, 10];
  return (steps.find((step) => most <= step * power * (1 + 1e-9)) ?? 10) * power;
}

/** The path of the values, of which `top` is at the top. Empty if there is nothing to draw. */
export function pathOf(kind: Kind, values: Values, top: number): string {
  if (values.length === 0 || !(top > 0)) return '';
  if (kind === 'bars') return bars(values, top);
  return runs(values)
    .map((run) => (kind === 'area' ? area(run, values.length, top) : line(run, values.length, top)))
    .join('');
}

/** Which of so many steps is at a share of the width, 0 to 1; null if there are none. */
export function stepAt(share: number, steps: number): number | null {
  if (steps === 0 || !Number.isFinite(share)) return null;
  return Math.min(Math.max(Math.floor(share * steps), 0), steps - 1);
}

/** Values without a gap, and which step the first of them is of. */
interface Run {
  from: number;
  values: number[];
}

function runs(values: Values): Run[] {
  const found: Run[] = [];
  let run: Run | null = null;
  values.forEach((value, index) => {
    if (value === null) run = null;
    else if (run !== null) run.values.push(value);
    else found.push((run = { from: index, values: [value] }));
  });
  return found;
}

/** Through the middles of the steps; a value that stands alone is as wide as its step, or it couldn't be seen. */
function line(run: Run, steps: number, top: number): string {
  const [first] = run.values;
  if (run.values.length === 1 && first !== undefined) {
    const [left, right] = [(run.from / steps) * SIDE, ((run.from + 1) / steps) * SIDE];
    return `M${round(left)} ${y(first, top)}H${round(right)}`;
  }
  return run.values
    .map(
      (value, index) =>
        `${index === 0 ? 'M' : 'L'}${middle(run.from + index, steps)} ${y(value, top)}`,
    )
    .join('');
}

/** From the beginning of its first step to the end of its last one. */
function area(run: Run, steps: number, top: number): string {
  const left = round((run.from / steps) * SIDE);
  const right = round(((run.from + run.values.length) / steps) * SIDE);
  const first = y(run.values[0] ?? 0, top);
  const points = run.values.map(
    (value, index) => `L${middle(run.from + index, steps)} ${y(value, top)}`,
  );
  const last = y(run.values.at(-1) ?? 0, top);
  return `M${left} ${SIDE}L${left} ${first}${points.join('')}L${right} ${last}L${right} ${SIDE}Z`;
}

/** With a little air between them while there's room for it. */
function bars(values: Values, top: number): string {
  const width = SIDE / values.length;
  const air = Math.min(width * 0.2, 0.4);
  return values
    .map((value, index) => {
      if (value === null || value <= 0) return '';
      const [left, right] = [index * width + air / 2, (index + 1) * width - air / 2];
      return `M${round(left)} ${SIDE}V${y(value, top)}H${round(right)}V${SIDE}Z`;
    })
    .join('');
}

/** Where the middle of a step is. */
export function middle(index: number, steps: number): number {
  return round(((index + 0.5) / steps) * SIDE);
}

function y(value: number, top: number): number {
  return round(SIDE - Math.min(Math.max(value / top, 0), 1) * SIDE);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
