import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { Spillway } from '../lib/spillway.js';
import { sleep, until } from '../lib/wait.js';

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
/** A viewer reports each 10 s, the page asks each 5 s, and a minute is drawn when it's over. */
const REPORTED_MS = 40_000;
const DRAWN_MS = 100_000;

const parts = harness('dashboard', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '1s' } });

async function open(pathname, options = {}) {
  const context = await parts.chromium.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  page.on('console', (message) => {
    // That a token is missing or a recording isn't there is an answer like others.
    const isAnswer = /status of 40[134]/.test(message.text());
    if (message.type() === 'error' && !isAnswer) page.errors.push(message.text());
  });
  await page.goto(parts.spillway.url(pathname));
  return page;
}

/** Opens the dashboard with the token in its address. */
async function openAsAdmin(options = {}) {
  const token = await parts.spillway.token('admin');
  const page = await open(`/dashboard#token=${token}`, options);
  await reaches(page, 'overview');
  assert.equal(page.url(), parts.spillway.url('/dashboard'));
  return page;
}

const reaches = (page, state) => page.waitForSelector(`html[data-state="${state}"]`);

/** The figures of a list by their names. */
const figures = (page, list) =>
  page.evaluate(
    (selector) =>
      Object.fromEntries(
        [...document.querySelectorAll(`${selector} > div`)].map((block) =>
          [...block.children].map(({ textContent }) => textContent),
        ),
      ),
    list,
  );

/** Waits until the figures of a list satisfy a condition, and gives them. */
async function figuresOnce(page, list, what, condition, timeout = REPORTED_MS) {
  let seen = {};
  try {
    return await until(what, async () => condition((seen = await figures(page, list))) && seen, {
      timeout,
      interval: 500,
    });
  } catch (error) {
    throw new Error(`${error.message}; the page says ${JSON.stringify(seen)}`, { cause: error });
  }
}

async function publish(channel) {
  const { spillway } = parts;
  return ObsPublisher.start({
    url: spillway.url(`/whip/${channel}`),
    token: await spillway.token('publish', channel),
    gop: 10,
  });
}

async function watch(channel, token = '') {
  const page = await open(`/watch/${channel}${token === '' ? '' : `#token=${token}`}`);
  await reaches(page, 'playing');
  return page;
}

async function keep(page, name) {
  await page.screenshot({ path: artifact(parts.test, `${name}.png`), fullPage: true });
}

const card = (channel) => `.live-card:has-text("${channel}")`;

test('it asks for a token, says what is wrong with one, and keeps it out of the address', async () => {
  const { spillway } = parts;
  assert.equal((await fetch(spillway.url('/dashboard/'))).url, spillway.url('/dashboard'));
  const page = await open('/dashboard');
  await reaches(page, 'asking');
  assert.equal(await page.textContent('#gate-problem'), '');
  await keep(page, 'asks');

  const tryToken = async (token) => {
    await page.fill('#token', token);
    await page.click('#gate-open');
  };
  await tryToken('not-a-token');
  await page.waitForSelector('#gate-problem:has-text("The node doesn’t take this token")');
  await tryToken(await spillway.token('publish', 'somebody'));
  await page.waitForSelector('#gate-problem:has-text("an admin token is needed")');
  await keep(page, 'wrong-token');
  const token = await spillway.token('admin');
  await tryToken(token);
  await reaches(page, 'overview');
  assert.equal(await page.isVisible('#gate'), false);
  assert.equal(page.url(), spillway.url('/dashboard'));
  assert.ok(!(await page.content()).includes(token));
  await page.reload();
  await reaches(page, 'overview');

  await page.click('#leave');
  await reaches(page, 'asking');
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.reload();
  await reaches(page, 'asking');
  assert.ok(!spillway.log.includes(token));
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('whoever sits at a node that trusts them needs no token', async () => {
  const config = '[auth]\nadmin_from_loopback = true\n';
  const trusting = await Spillway.start({ test: parts.test, config });
  const page = await parts.chromium.newPage();
  await page.goto(trusting.url('/dashboard'));
  await reaches(page, 'overview');
  assert.equal(await page.isVisible('#leave'), false, 'there is no token to forget');
  await page.context().close();
  await trusting.stop();
});

test('a token that is revoked meanwhile is asked for anew', async () => {
  const { spillway } = parts;
  // The test's own token is older than the page's.
  await spillway.api('/api/v1/node');
  const page = await openAsAdmin();
  const { items } = await (await spillway.api('/api/v1/tokens')).json();
  const own = items.find(({ kind }) => kind === 'admin');
  const revoked = await spillway.api(`/api/v1/tokens/${own.id}`, { method: 'DELETE' });
  assert.equal(revoked.status, 204);
  await reaches(page, 'asking');
  await page.waitForSelector('#gate-problem:has-text("The node doesn’t take this token")');
  await page.context().close();
});

test('a live channel appears with the figures of a real viewer, and stays as a broadcast that is over', async () => {
  const { spillway } = parts;
  const page = await openAsAdmin();
  await page.waitForSelector('#live-summary:has-text("Nobody is on air.")');
  const publisher = await publish('evening');
  const viewer = await watch('evening');
  await page.waitForSelector(card('evening'));

  const list = `${card('evening')} .figures`;
  const seen = await figuresOnce(page, list, 'the viewer is seen', (each) => each.Joins === '1');
  assert.equal(seen['Viewers over WebRTC'], '1');
  assert.match(seen['Latency, p50 · p95'], /^\d+ ms · \d+ ms$/);
  assert.match(seen.Stalled, /^\d+\.\d %$/);
  assert.match(
    await page.textContent(card('evening')),
    /H264 \+ opus · 1280×720 · [\d.]+ .bit\/s/i,
  );
  const node = await figures(page, '#node-figures');
  assert.match(node['Viewers over WebRTC'], /^1 of 10,000$/);
  assert.equal(node.Publishers, '1');

  await page.waitForSelector(`${card('evening')} .chart-area`, { timeout: DRAWN_MS });
  const label = await page.getAttribute(`${card('evening')} svg`, 'aria-label');
  assert.match(label, /^(0\.[3-9]|1(\.\d)?) in the last minute with all players/);
  await keep(page, 'live');

  // Its own page, and back.
  await page.click(`${card('evening')} .live-title`);
  await reaches(page, 'broadcast');
  const of = await figures(page, '#broadcast-figures');
  assert.equal(of.Joins, '1');
  assert.match(of['To the picture, p50 · p95'], /^[\d.]+ m?s · [\d.]+ m?s$/);
  assert.equal(await page.locator('.charts svg[role=img]').count(), 4);
  const tables = await page.textContent('#broadcast-tables');
  for (const name of ['WebRTC', 'Desktop', 'Up to 720 lines'])
    assert.match(tables, new RegExp(name));
  await page.click('#steps summary');
  assert.ok((await page.locator('#step-rows tr').count()) >= 1);
  await keep(page, 'broadcast');
  await page.focus('.skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('html', 'data-state'), 'broadcast', 'a skip leads nowhere');
  await page.click('#broadcast a:has-text("All of the node")');
  await reaches(page, 'overview');

  // A page that is left tells what it hadn't told yet.
  const before = await audience(spillway, 'evening');
  await sleep(3_000);
  await viewer.goto('about:blank');
  const after = await until('the rest is told', async () => {
    const now = await audience(spillway, 'evening');
    return now.total.watched_s > before.total.watched_s + 2 && now;
  });
  assert.equal(after.total.joins, 1, 'leaving is no join');
  const passed = (Date.now() - after.started_at) / 1_000;
  assert.ok(after.total.watched_s <= passed, `${after.total.watched_s} s of ${passed} s`);

  await publisher.stop();
  await page.waitForSelector('#past-rows tr:has-text("evening")', { timeout: 20_000 });
  await page.waitForSelector(card('evening'), { state: 'detached' });
  const row = await page.textContent('#past-rows tr:has-text("evening")');
  assert.match(row, /evening.*\d+ ms · \d+ ms.*%/);
  await keep(page, 'over');
  await page.click('#past-rows a:has-text("evening")');
  await reaches(page, 'broadcast');
  assert.match(await page.textContent('#broadcast-facts'), /lasted \d+/);
  assert.equal((await figures(page, '#broadcast-figures')).Joins, '1');
  assert.deepEqual(page.errors, []);
  assert.deepEqual(viewer.errors, []);
  await viewer.context().close();
  await page.context().close();
});

/** What the node says of a channel's broadcast under way. */
async function audience(spillway, channel) {
  const { items } = await (await spillway.api(`/api/v1/broadcasts?channel=${channel}`)).json();
  return (await spillway.api(`/api/v1/broadcasts/${items[0].id}/audience`)).json();
}

test('restricted channels are among them, and their viewers’ reports count', async () => {
  const { spillway } = parts;
  const publisher = await publish('private');
  const edit = { settings: { restricted_viewing: true } };
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(edit);
  await spillway.api('/api/v1/channels/private', { method: 'PATCH', headers, body });
  const viewer = await watch('private', await spillway.token('view', 'private'));
  const page = await openAsAdmin({ viewport: PHONE, isMobile: true, hasTouch: true });
  await page.waitForSelector(`${card('private')}:has-text("restricted")`);
  // The page is gone before its first report is due.
  await sleep(4_000);
  await viewer.goto('about:blank');
  const list = `${card('private')} .figures`;
  await figuresOnce(page, list, 'the viewer is seen', (each) => each.Joins === '1');
  await keep(page, 'phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px wide`);
  await page.click(`${card('private')} .live-title`);
  await reaches(page, 'broadcast');
  await keep(page, 'phone-broadcast');
  assert.deepEqual(page.errors, []);
  await viewer.context().close();
  await page.context().close();
  await publisher.stop();
});

test('it says how old its figures are when the node is gone, and goes on when it’s back', async () => {
  const { spillway } = parts;
  const page = await openAsAdmin({ colorScheme: 'dark' });
  await spillway.killServer();
  await page.waitForSelector('#age:has-text("These figures are")', { timeout: 20_000 });
  await keep(page, 'stale');
  await spillway.restart();
  await page.waitForSelector('#age', { state: 'hidden', timeout: 60_000 });
  assert.equal(await page.getAttribute('html', 'data-state'), 'overview');
  await page.context().close();
});
