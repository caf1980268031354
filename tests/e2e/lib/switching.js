import { gaps } from './gaps.js';
import { closeSession, viewIn } from './viewing.js';
import { sleep, until } from './wait.js';

/** Shown frames still count for a switch so long after the new size was shown. */
const AFTER_MS = 1_000;
const TIMEOUT_MS = 15_000;
/** A gap is another viewer's as well if it saw one of at least this share of it at the same time. */
const SAME = 0.8;

/**
 * Lets one viewer go from layer to layer, while others keep theirs.
 *
 * `layers`, the smallest first, have the `width` that they are known by and the `selection` that asks for them.
 *
 * @param {{ openPage: () => Promise<import('playwright-core').Page>, url: string, layers: { width: number,
 *   selection: object }[], switches: number, dwellMs?: number }} options
 */
export async function measureSwitches({ openPage, url, layers, switches, dwellMs = 700 }) {
  const pinned = [];
  for (const layer of layers) pinned.push(await pinnedViewer(openPage, url, layer));
  const widths = await Promise.all(pinned.map(shownWidth));
  // What the machine does to a viewer that doesn't switch; the others only take its time.
  const control = pinned.shift();
  const mover = pinned.shift();
  for (const page of pinned) await leave(page);
  await sleep(1_000);
  const before = await inbound(mover);
  const from = Date.now();
  const made = await mover.evaluate(switchThrough, {
    order: order(layers.length, switches).map((number) => layers[number]),
    dwellMs,
    timeoutMs: TIMEOUT_MS,
  });
  const to = Date.now();
  const [after, frames, still] = [
    await inbound(mover),
    await framesOf(mover),
    await framesOf(control),
  ];
  await leave(mover);
  await leave(control);
  return { pinnedWidths: widths, ...figures({ made, frames, still, from, to, before, after }) };
}

async function pinnedViewer(openPage, url, { selection, width }) {
  const page = await openPage();
  await viewIn(page, { url });
  await page.evaluate((wanted) => window.viewer.select(wanted), selection);
  await until(`${width} columns`, async () => (await shownWidth(page)) === width, {
    timeout: 30_000,
    interval: 200,
  });
  return page;
}

function shownWidth(page) {
  return page.evaluate(() => window.viewer.frames.at(-1)?.width);
}

function framesOf(page) {
  return page.evaluate(() => window.viewer.frames);
}

function inbound(page) {
  return page.evaluate(() => window.viewer.inbound('video'));
}

async function leave(page) {
  await closeSession(page, 'viewer');
  await page.context().close();
}

/** Up and down by one and by two layers in turn, beginning and ending anywhere. */
function order(layers, switches) {
  const round = layers === 3 ? [2, 0, 1, 2, 1, 0] : [1, 0];
  return Array.from({ length: switches }, (_, i) => round[i % round.length]);
}

/** In the page: asks for one layer after the other, each when the last one has been shown for a while. */
async function switchThrough({ order, dwellMs, timeoutMs }) {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const { viewer } = window;
  const made = [];
  for (const { selection, width } of order) {
    await pause(dwellMs);
    const [fromWidth, count, askedAt] = [
      viewer.frames.at(-1).width,
      viewer.frames.length,
      Date.now(),
    ];
    if (fromWidth === width) continue;
    await viewer.select(selection);
    let shown;
    while (!shown && Date.now() < askedAt + timeoutMs) {
      await pause(5);
      shown = viewer.frames.slice(count).find((frame) => frame.width === width);
    }
    made.push({ from: fromWidth, to: width, askedAt, shownAt: shown?.unixMs ?? null });
  }
  await pause(dwellMs);
  return made;
}

function figures({ made, frames, still, from, to, before, after }) {
  const done = made.filter(({ shownAt }) => shownAt !== null);
  const worst = done.map((one) => {
    const gap = gaps(frames, one.askedAt, one.shownAt + AFTER_MS)[0];
    const others = gaps(still, gap.at, gap.at + gap.ms)[0]?.ms ?? 0;
    return { from: one.from, to: one.to, ...gap, at: gap.at - one.askedAt, others };
  });
  // What befell the viewer that doesn't switch as well isn't the switch's doing.
  const own = worst.filter(({ ms, others }) => others < ms * SAME);
  const count = (name) => (after[name] ?? 0) - (before[name] ?? 0);
  return {
    switches: made.length,
    inVain: made.length - done.length,
    shownAfterMs: spread(done.map(({ askedAt, shownAt }) => shownAt - askedAt)),
    longestGapMs: spread(worst.map(({ ms }) => ms)),
    longestOwnGapMs: Math.max(0, ...own.map(({ ms }) => ms)),
    worstGaps: worst.sort((a, b) => b.ms - a.ms).slice(0, 5),
    controlGapMs: gaps(still, from, to)[0]?.ms,
    timecodes: continuity(frames.filter(({ unixMs }) => unixMs >= from)),
    freezes: count('freezeCount'),
    framesDropped: count('framesDropped'),
    framesReceived: count('framesReceived'),
    framesDecoded: count('framesDecoded'),
    keyframeRequests: count('pliCount') + count('firCount'),
    nacks: count('nackCount'),
  };
}

/**
 * How well the pictures' own time follows the time that they are to be shown at: steps back, and the most that the one
 * went astray from the other between two frames, in milliseconds. A file that begins anew isn't counted.
 */
function continuity(frames) {
  const dated = frames.filter(({ timecode }) => timecode !== null);
  let [back, astray] = [0, 0];
  for (const [i, frame] of dated.slice(1).entries()) {
    const step = frame.timecode - dated[i].timecode;
    const due = ((frame.rtpTimestamp - dated[i].rtpTimestamp) | 0) / 90;
    if (step < -5_000) continue;
    if (step < 0) back++;
    astray = Math.max(astray, Math.abs(step - due));
  }
  return { intact: dated.length / frames.length, back, astrayMs: Math.round(astray) };
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  return { median: at(0.5), p95: at(0.95), max: at(1) };
}
