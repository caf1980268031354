import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { artifact, report } from '../lib/artifacts.js';
import { launchChromium } from '../lib/chromium.js';
import { NEAR, SlowLink, canMakeNamespaces } from '../lib/link.js';
import { Spillway } from '../lib/spillway.js';
import { until } from '../lib/wait.js';

const NAME = 'studio-thin-uplink';
const CONDITIONS = ['--rate', '20mbit', '--delay', '20ms', '--queue', '300ms', '--seed', '1'];
const THIN = '700kbit';
const WIDE = '20mbit';

let link, spillway, chromium;

before(async () => {
  if (!canMakeNamespaces) return;
  link = await SlowLink.start({ test: NAME, conditions: CONDITIONS });
  spillway = await Spillway.start({ test: NAME, host: NEAR });
  chromium = await launchChromium({ executablePath: await link.wrap('/usr/bin/chromium') });
});

after(async () => {
  await chromium?.close();
  await spillway?.stop();
  await link?.stop();
});

const skip = canMakeNamespaces ? false : 'network namespaces need root';

test('a studio whose uplink gets thin says so, sends less, and comes back', { skip }, async () => {
  const page = await (await chromium.newContext()).newPage();
  const token = await spillway.token('publish', 'thin');
  await page.goto(`${spillway.url('/studio/thin')}#token=${token}`);
  await page.check('input[name="source"][value="test"]', { force: true });
  await page.setChecked('#layered', false);
  await page.click('#go-live');
  await page.waitForSelector('html[data-state="live"]', { timeout: 15_000 });
  const options = { timeout: 120_000, interval: 500 };
  await until(
    'the uplink is measured',
    async () => (await seen(page)).health !== 'measuring',
    options,
  );

  const thinAt = await link.change('--rate', THIN);
  const thin = await until('less is sent', () => limited(page), options);
  const toldAfterMs = Date.now() - thinAt;
  await page.screenshot({ path: artifact(NAME, 'thin.png') });
  assert.match(thin.text, /^Your connection carries \d+ kbit\/s: sending .* instead of 1280×720/);

  const wideAt = await link.change('--rate', WIDE);
  // Browsers feel a path out slowly that was thin, the more so on a busy machine.
  await until('all is sent again', () => recovered(page), { ...options, timeout: 300_000 });
  report(NAME, { thin, toldAfterMs, backAfterMs: Date.now() - wideAt });
});

/** What the streamer is told, and the picture's width. */
function seen(page) {
  return page.evaluate(() => {
    const { uplink, stats } = window.spillway;
    const width = stats?.video?.layers.at(-1)?.width ?? 0;
    return { ...(uplink ?? { health: 'measuring', text: '', level: 0, reason: null }), width };
  });
}

async function limited(page) {
  const now = await seen(page);
  return now.health === 'limited' && now.reason === 'uplink' && now.width < 1280 ? now : null;
}

async function recovered(page) {
  const { level, width } = await seen(page);
  return level === 0 && width === 1280;
}
