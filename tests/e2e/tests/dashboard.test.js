import assert from 'node:assert/strict';
import test from 'node:test';
import {
  card,
  figuresOnce,
  keepLook,
  openDashboard,
  openPage,
  publish,
  reaches,
  watch,
} from '../lib/dashboard.js';
import { harness } from '../lib/harness.js';
import { Spillway } from '../lib/spillway.js';
import { sleep } from '../lib/wait.js';

const PHONE = { width: 390, height: 844 };

const parts = harness('dashboard', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '1s' } });

test('it asks for a token, says what is wrong with one, and keeps it out of the address', async () => {
  const { spillway } = parts;
  assert.equal((await fetch(spillway.url('/dashboard/'))).url, spillway.url('/dashboard'));
  const page = await openPage(parts, '/dashboard');
  await reaches(page, 'asking');
  assert.equal(await page.textContent('#gate-problem'), '');
  await keepLook(parts, page, 'asks');

  const tryToken = async (token) => {
    await page.fill('#token', token);
    await page.click('#gate-open');
  };
  await tryToken('not-a-token');
  await page.waitForSelector('#gate-problem:has-text("The node doesn’t take this token")');
  await tryToken(await spillway.token('publish', 'somebody'));
  await page.waitForSelector('#gate-problem:has-text("an admin token is needed")');
  await keepLook(parts, page, 'wrong-token');
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
  const page = await openDashboard(parts);
  const { items } = await (await spillway.api('/api/v1/tokens')).json();
  const own = items.find(({ kind }) => kind === 'admin');
  const revoked = await spillway.api(`/api/v1/tokens/${own.id}`, { method: 'DELETE' });
  assert.equal(revoked.status, 204);
  await reaches(page, 'asking');
  await page.waitForSelector('#gate-problem:has-text("The node doesn’t take this token")');
  await page.context().close();
});

test('restricted channels are among them, and their viewers’ reports count', async () => {
  const { spillway } = parts;
  const publisher = await publish(parts, 'private');
  const edit = { settings: { restricted_viewing: true } };
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(edit);
  await spillway.api('/api/v1/channels/private', { method: 'PATCH', headers, body });
  const viewer = await watch(parts, 'private', await spillway.token('view', 'private'));
  const page = await openDashboard(parts, { viewport: PHONE, isMobile: true, hasTouch: true });
  await page.waitForSelector(`${card('private')}:has-text("restricted")`);
  // The page is gone before its first report is due.
  await sleep(4_000);
  await viewer.goto('about:blank');
  const list = `${card('private')} .figures`;
  await figuresOnce(page, list, 'the viewer is seen', (each) => each.Joins === '1');
  await keepLook(parts, page, 'phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px wide`);
  await page.click(`${card('private')} .live-title`);
  await reaches(page, 'broadcast');
  await keepLook(parts, page, 'phone-broadcast');
  assert.deepEqual(page.errors, []);
  await viewer.context().close();
  await page.context().close();
  await publisher.stop();
});

test('it says how old its figures are when the node is gone, and goes on when it’s back', async () => {
  const { spillway } = parts;
  const page = await openDashboard(parts, { colorScheme: 'dark' });
  await spillway.killServer();
  await page.waitForSelector('#age:has-text("These figures are")', { timeout: 20_000 });
  await keepLook(parts, page, 'stale');
  await spillway.restart();
  await page.waitForSelector('#age', { state: 'hidden', timeout: 60_000 });
  assert.equal(await page.getAttribute('html', 'data-state'), 'overview');
  await page.context().close();
});
