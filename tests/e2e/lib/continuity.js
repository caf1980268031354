import fs from 'node:fs/promises';
import path from 'node:path';

const SCRIPTS = path.join(import.meta.dirname, 'browser');

/** Prepares a page to be watched: before it is opened, in a context that has `bypassCSP`. */
export function watchContinuity(page) {
  return page.addInitScript({ path: path.join(SCRIPTS, 'continuity.js') });
}

/** Begins to listen: once the page plays. */
export async function listen(page) {
  const finder = await fs.readFile(path.join(SCRIPTS, 'silence-finder.js'), 'utf8');
  await page.evaluate((script) => window.continuity.listen(script), finder);
}

/** The page's clock. */
export const pageNow = (page) => page.evaluate(() => performance.now());

/** Around a switch it's looked at so long before and after it. What was over before it is the old player's own. */
const BEFORE_MS = 1_000;
const AFTER_MS = 2_000;

/** What `gapsBetween` says of the time around the page's latest switch to a player. */
export async function gapsAroundSwitch(page) {
  const at = await page.evaluate(() => window.continuity.switches.at(-1)[0]);
  return gapsBetween(page, at - BEFORE_MS, at + AFTER_MS, at);
}

/**
 * The longest times from `from` to `to`, of those that last beyond `zero`, in which the page showed no new picture, and in which
 * nothing was heard, in milliseconds, and when they began, counted from `zero`.
 */
export async function gapsBetween(page, from, to, zero = from) {
  const { frames, silences } = await page.evaluate(() => {
    const { frames, silences } = window.continuity;
    return { frames, silences };
  });
  const shown = frames.filter((at) => at >= from && at <= to);
  const freezes = [from, ...shown]
    .map((at, i) => [at, shown[i] ?? to])
    .filter(([, ended]) => ended > zero);
  const unheard = silences
    .map(([began, ended]) => [Math.max(began, from), Math.min(ended, to)])
    .filter(([began, ended]) => ended > began && ended > zero);
  return {
    freeze: longest(freezes, zero),
    silence: longest(unheard, zero),
    pictures: shown.length,
  };
}

function longest(gaps, zero) {
  const [began, ended] = gaps.reduce(
    (most, gap) => (gap[1] - gap[0] > most[1] - most[0] ? gap : most),
    [zero, zero],
  );
  return { ms: Math.round(ended - began), at: Math.round(began - zero) };
}
