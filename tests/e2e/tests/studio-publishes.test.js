import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { launchChromium } from '../lib/chromium.js';
import { harness } from '../lib/harness.js';
import { assertPlays, viewIn } from '../lib/viewing.js';

const parts = harness('studio-publishes', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '3s' } });

test("the studio's test picture goes live and is watched", async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'studio');
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(`${spillway.url('/studio/studio')}#token=${token}`);
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.evaluate(() => {
    window.liveAt = window.saidAt = null;
    const health = document.getElementById('uplink-text');
    new MutationObserver(() => {
      if (document.documentElement.dataset.state === 'live') window.liveAt ??= performance.now();
      if (health.textContent.startsWith('Sending')) window.saidAt ??= performance.now();
    }).observe(document, { attributes: true, childList: true, subtree: true });
  });
  await page.click('#go-live');
  await page.waitForSelector('html[data-state="live"]', { timeout: 15_000 });
  await page.waitForFunction(() => window.saidAt !== null);
  const toldAfter = await page.evaluate(() => window.saidAt - window.liveAt);
  console.log(`says what it sends ${toldAfter.toFixed(0)} ms after going live`);
  // Two statistics a second apart are needed to know; measuring the path takes 12 s.
  assert.ok(toldAfter < 5_000);

  const watch = await (await parts.chromium.newContext()).newPage();
  await watch.goto(spillway.url('/watch/studio'));
  await watch.waitForSelector('html[data-state="playing"]', { timeout: 15_000 });
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/studio') });
  await assertPlays(viewer);
  await page.screenshot({ path: artifact(parts.test, 'studio.png') });
  await watch.screenshot({ path: artifact(parts.test, 'watch.png') });

  await page.click('#stop');
  await page.waitForSelector('#stats', { state: 'hidden' });
  await watch.waitForSelector('html[data-state="ended"]', { timeout: 30_000 });
});

test('its chat comes with the first broadcast, and is asked for in vain but once', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'first');
  const page = await (await parts.chromium.newContext()).newPage();
  const failed = [];
  page.on('console', (message) => {
    if (message.type() === 'error') failed.push(message.text());
  });
  await page.goto(`${spillway.url('/studio/first')}#token=${token}`);
  await page.waitForFunction(() => /first broadcast/.test(document.body.innerText));
  await page.waitForTimeout(5_000);
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.click('#go-live');
  await page.waitForSelector('html[data-state="live"]', { timeout: 15_000 });
  await page.waitForSelector('#chat textarea:not([disabled])', { timeout: 10_000 });
  assert.ok(failed.length <= 1, failed.join());
  await page.context().close();
});

test('a wrong token is refused with advice', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(`${parts.spillway.url('/studio/studio')}#token=nonsense`);
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.click('#go-live');
  await page.waitForSelector('html[data-state="error"]', { timeout: 15_000 });
  assert.match(await page.textContent('#alert-title'), /token/i);
});

test('without HTTPS it says at once that there is no camera, and the test picture stays', async () => {
  const browser = await launchChromium({
    args: ['--host-resolver-rules=MAP plain.example 127.0.0.1'],
  });
  const page = await browser.newPage();
  await page.goto(`http://plain.example:${parts.spillway.port}/studio/studio`);
  await page.waitForFunction(() => document.getElementById('alert-title')?.textContent !== '');
  assert.match(await page.textContent('#alert-title'), /HTTPS|secure/i);
  await page.screenshot({ path: artifact(parts.test, 'insecure.png') });
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.waitForFunction(() => document.getElementById('alert-title')?.offsetParent === null);
  await browser.close();
});
