import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { sleep } from '../lib/wait.js';

const parts = harness('studio-recording');
const EARLIER = { broadcast: 'earlier', channel: 'studio', state: 'ready', duration_ms: 60_000 };

/** A studio whose node has the recordings that the test says, and takes markers. */
async function openStudio(viewport = { width: 1280, height: 960 }) {
  const { spillway } = parts;
  const page = await (await parts.chromium.newContext({ viewport })).newPage();
  page.recordings = [EARLIER];
  page.markers = [];
  await page.route('**/api/v1/channels/studio/recordings*', (route) =>
    route.fulfill({ json: { items: page.recordings } }),
  );
  await page.route('**/api/v1/channels/studio/markers', async (route) => {
    const request = route.request();
    page.markers.push({
      ...request.postDataJSON(),
      hasToken: request.headers().authorization !== undefined,
    });
    await route.fulfill(page.answer ?? { status: 201, json: { id: 'm1' } });
  });
  const token = await spillway.token('publish', 'studio');
  await page.goto(`${spillway.url('/studio/studio')}#token=${token}`);
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.click('#go-live');
  await page.waitForSelector('html[data-state="live"]', { timeout: 15_000 });
  return page;
}

const mine = (fields) => ({ broadcast: 'mine', channel: 'studio', duration_ms: 61_000, ...fields });

async function keep(page, name) {
  await sleep(300);
  await page.screenshot({ path: artifact(parts.test, `${name}.png`) });
}

test('the studio says that it is recorded, marks moments, and leads to the recording', async () => {
  const page = await openStudio();
  await sleep(1_000);
  assert.equal(await page.isVisible('#recording'), false, 'an earlier recording is none of ours');
  page.recordings = [mine({ state: 'recording' }), EARLIER];
  await page.waitForSelector('#recording[data-recording="recording"]', { timeout: 15_000 });
  assert.equal(await page.textContent('#recording-word'), 'Recording');
  await page.waitForFunction(() =>
    /^01:0[3-9]$/.test(document.getElementById('recording-clock').textContent),
  );

  const pressedAt = Date.now();
  await page.click('#marker-button');
  await page.fill('#marker-title', 'The first question');
  await keep(page, '1-marking');
  await sleep(2_500);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('marker-news').textContent !== '');
  assert.match(await page.textContent('#marker-news'), /Marked: The first question/);
  assert.equal(page.markers.length, 1);
  const [{ title, at, hasToken }] = page.markers;
  assert.deepEqual([title, hasToken], ['The first question', true]);
  // The node's clock tells whole seconds.
  const late = Date.parse(at) - pressedAt;
  assert.ok(late >= -1_100 && late < 1_500, `marked ${late} ms after the button was pressed`);

  page.answer = {
    status: 409,
    contentType: 'application/problem+json',
    json: { title: 'Conflict', detail: 'The channel is not live.' },
  };
  await page.click('#marker-button');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() =>
    /not live/.test(document.getElementById('marker-news').textContent),
  );
  await page.keyboard.press('Escape');
  assert.equal(await page.isVisible('#marker-title'), false);

  page.recordings = [
    mine({ state: 'recording', problem: 'The storage is slow; 40 s wait to be sent.' }),
  ];
  await page.waitForFunction(() =>
    /slow/.test(document.getElementById('recording-text').textContent),
  );
  await keep(page, '2-slow');
  await page.click('#stop');
  page.recordings = [mine({ state: 'finishing' })];
  await page.waitForSelector('#recording[data-recording="finishing"]', { timeout: 15_000 });
  assert.equal(await page.isVisible('#marker-button'), false);
  page.recordings = [mine({ state: 'ready' })];
  await page.waitForSelector('#recording-link:not([hidden])', { timeout: 15_000 });
  assert.equal(await page.getAttribute('#recording-link', 'href'), '/vod/mine');
  await keep(page, '3-ready');
  await page.context().close();
});

test('a recording that fails is told, also on a phone', async () => {
  const page = await openStudio({ width: 390, height: 844 });
  await sleep(500);
  page.recordings = [mine({ state: 'recording' })];
  await page.waitForSelector('#recording[data-recording="recording"]', { timeout: 15_000 });
  await page.locator('#recording').scrollIntoViewIfNeeded();
  await keep(page, '4-phone');
  page.recordings = [mine({ state: 'failed', problem: 'The disk is full.' })];
  await page.waitForSelector('#recording[data-recording="failed"]', { timeout: 15_000 });
  assert.match(await page.textContent('#recording-state'), /Not recorded\s+The disk is full\./);
  await keep(page, '5-failed-phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px wide`);
  await page.click('#stop');
  await page.context().close();
});
