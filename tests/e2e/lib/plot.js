/**
 * Line plots over a common time axis, one panel below the other, as SVG.
 *
 * @typedef {{ name: string, colour: string, points: [number, number][], dashed?: boolean, bars?: boolean }} Series
 * @typedef {{ label: string, max: number, ticks: { at: number, text: string }[], height: number, series: Series[] }} Panel
 */

const WIDTH = 920;
const LEFT = 84;
const RIGHT = 24;
const TOP = 52;
const GAP = 46;
const BOTTOM = 46;
const PLOT = WIDTH - LEFT - RIGHT;
const TICK_S = 10;

/** @param {{ title: string, seconds: number, panels: Panel[] }} plot */
export function plot({ title, seconds, panels }) {
  const x = (s) => LEFT + (s / seconds) * PLOT;
  const parts = [];
  let top = TOP;
  for (const panel of panels) {
    parts.push(...drawPanel(panel, { top, x, seconds }));
    top += panel.height + GAP;
  }
  const height = top - GAP + BOTTOM;
  const axis = text(LEFT + PLOT / 2, height - 8, 'time (s)', 'middle');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="15" fill="#111">${escape(title)}</text>`,
    ...parts,
    axis,
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ label, max, ticks, height, series }, { top, x, seconds }) {
  const y = (value) => top + height - (Math.min(value, max) / max) * height;
  const parts = [];
  for (let s = 0; s <= seconds; s += TICK_S) {
    parts.push(line(x(s), top, x(s), top + height, '#e4e4e4'));
    parts.push(text(x(s), top + height + 15, String(s), 'middle'));
  }
  for (const { at, text: words } of ticks) {
    parts.push(line(LEFT, y(at), LEFT + PLOT, y(at), '#e4e4e4'));
    parts.push(text(LEFT - 8, y(at) + 4, words, 'end'));
  }
  parts.push(
    `<rect x="${LEFT}" y="${top}" width="${PLOT}" height="${height}" fill="none" stroke="#888"/>`,
  );
  for (const one of series) parts.push(one.bars ? bars(one, x, y) : curve(one, x, y));
  parts.push(...legend(series, top));
  const middle = top + height / 2;
  parts.push(
    `<text x="16" y="${middle}" transform="rotate(-90 16 ${middle})" text-anchor="middle" fill="#333">${escape(label)}</text>`,
  );
  return parts;
}

function curve({ points, colour, dashed }, x, y) {
  const path = points.map(([s, value]) => `${x(s).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const dash = dashed ? ' stroke-dasharray="6 4"' : '';
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.6"${dash}/>`;
}

function bars({ points, colour }, x, y) {
  return points
    .map(([s, value]) => line(x(s), y(0), x(s), y(value), colour, 2.4))
    .filter(Boolean)
    .join('\n');
}

/** Names the curves above the panel. */
function legend(series, top) {
  let right = LEFT + PLOT;
  return series.toReversed().flatMap(({ name, colour, dashed }) => {
    const width = name.length * 6.6 + 34;
    right -= width;
    const stroke = dashed ? ' stroke-dasharray="6 4"' : '';
    return [
      `<line x1="${right}" y1="${top - 10}" x2="${right + 20}" y2="${top - 10}" stroke="${colour}" stroke-width="2.4"${stroke}/>`,
      text(right + 25, top - 6, name, 'start'),
    ];
  });
}

function line(x1, y1, x2, y2, colour, width = 1) {
  const at = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${at[0]}" y1="${at[1]}" x2="${at[2]}" y2="${at[3]}" stroke="${colour}" stroke-width="${width}"/>`;
}

function text(x, y, words, anchor) {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333">${escape(words)}</text>`;
}

function escape(words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The points of a value that stays until the next one. */
export function steps(changes, end) {
  return changes.flatMap(([s, value], i) => [
    [s, value],
    [changes[i + 1]?.[0] ?? end, value],
  ]);
}
