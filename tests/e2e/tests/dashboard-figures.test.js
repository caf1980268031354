import assert from 'node:assert/strict';
import test from 'node:test';
import {
  card,
  figures,
  figuresOnce,
  keepLook,
  openDashboard,
  publish,
  reaches,
  watch,
} from '../lib/dashboard.js';
import { harness } from '../lib/harness.js';
import { sleep, until } from '../lib/wait.js';

/** A minute is drawn when it's over, and told of a while later. */
const DRAWN_MS = 90_000;

const parts = harness('dashboard-figures', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '1s' } });

/** What the node says of a channel's broadcast under way. */
async function audience(spillway, channel) {
  const { items } = await (await spillway.api(`/api/v1/broadcasts?channel=${channel}`)).json();
  return (await spillway.api(`/api/v1/broadcasts/${items[0].id}/audience`)).json();
}

test('a live channel appears with the figures of a real viewer, and stays as a broadcast that is over', async () => {
  const { spillway } = parts;
  const page = await openDashboard(parts);
  await page.waitForSelector('#live-summary:has-text("Nobody is on air.")');
  const publisher = await publish(parts, 'evening');
  const viewer = await watch(parts, 'evening');
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
  assert.match(label, /^All players: (0\.[3-9]|1(\.\d)?) in the last minute, /);
  await keepLook(parts, page, 'live');

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
  await keepLook(parts, page, 'broadcast');
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
  await keepLook(parts, page, 'over');
  await page.click('#past-rows a:has-text("evening")');
  await reaches(page, 'broadcast');
  assert.match(await page.textContent('#broadcast-facts'), /lasted \d+/);
  assert.equal((await figures(page, '#broadcast-figures')).Joins, '1');
  assert.deepEqual(page.errors, []);
  assert.deepEqual(viewer.errors, []);
  await viewer.context().close();
  await page.context().close();
});
