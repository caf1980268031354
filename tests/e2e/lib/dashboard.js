import assert from 'node:assert/strict';
import { artifact } from './artifacts.js';
import { ObsPublisher } from './obs.js';
import { until } from './wait.js';

const DESKTOP = { width: 1280, height: 900 };
/** A viewer reports each 10 s, and the page asks each 5 s. */
const REPORTED_MS = 40_000;

/** Opens a page of the node, and keeps what goes wrong in it as `errors`. */
export async function openPage({ spillway, chromium }, pathname, options = {}) {
  const context = await chromium.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  page.on('console', (message) => {
    // That a token is missing or a recording isn't there is an answer like others.
    const isAnswer = /status of 40[134]/.test(message.text());
    if (message.type() === 'error' && !isAnswer) page.errors.push(message.text());
  });
  await page.goto(spillway.url(pathname));
  return page;
}

/** Opens the dashboard with a fresh token in its address. */
export async function openDashboard(parts, options = {}) {
  const token = await parts.spillway.token('admin');
  const page = await openPage(parts, `/dashboard#token=${token}`, options);
  await reaches(page, 'overview');
  assert.equal(page.url(), parts.spillway.url('/dashboard'));
  return page;
}

export const reaches = (page, state) => page.waitForSelector(`html[data-state="${state}"]`);

/** The card of a live channel. */
export const card = (channel) => `.live-card:has-text("${channel}")`;

/** The figures of a list by their names. */
export async function figures(page, list) {
  const blocks = await page
    .locator(`${list} > div`)
    .evaluateAll((all) => all.map((block) => [...block.children].map((each) => each.textContent)));
  return Object.fromEntries(blocks);
}

/** Waits until the figures of a list satisfy a condition, and gives them. */
export async function figuresOnce(page, list, what, condition) {
  let seen = {};
  const look = async () => condition((seen = await figures(page, list))) && seen;
  try {
    return await until(what, look, { timeout: REPORTED_MS, interval: 500 });
  } catch (error) {
    throw new Error(`${error.message}; the page says ${JSON.stringify(seen)}`, { cause: error });
  }
}

export async function publish({ spillway }, channel) {
  return ObsPublisher.start({
    url: spillway.url(`/whip/${channel}`),
    token: await spillway.token('publish', channel),
    gop: 10,
  });
}

/** Opens the watch page, and waits until it plays. */
export async function watch(parts, channel, token = '') {
  const page = await openPage(parts, `/watch/${channel}${token === '' ? '' : `#token=${token}`}`);
  await reaches(page, 'playing');
  return page;
}

/** Keeps how a page looks, all of it. */
export async function keepLook({ test }, page, name) {
  await page.screenshot({ path: artifact(test, `${name}.png`), fullPage: true });
}
