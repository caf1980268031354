import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { StandInNode } from '../lib/stand-in-node.js';
import { makeRecording } from '../lib/vod-fixture.js';
import { sleep, until } from '../lib/wait.js';

// What is live comes from the node, what is recorded of it from a stand-in.
const parts = harness('rewind', { args: ['--demo'] });
let dir;
let recorder;

before(async () => {
  dir = await makeRecording();
  recorder = await StandInNode.start(dir);
  recorder.set('tonight', { state: 'recording', duration_ms: 40_000 });
});

after(async () => {
  await recorder?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

async function openWatch() {
  const page = await (await parts.chromium.newContext()).newPage();
  for (const there of ['**/vod/tonight/**', '**/api/v1/channels/demo/recordings*']) {
    await page.route(there, async (route) => {
      const { pathname, search } = new URL(route.request().url());
      const response = await route.fetch({ url: recorder.url(`${pathname}${search}`) });
      await route.fulfill({ response });
    });
  }
  await page.goto(parts.spillway.url('/watch/demo'));
  return page;
}

const plays = (page, player) =>
  page.waitForSelector(`html[data-player="${player}"][data-state="playing"]`, { timeout: 20_000 });

const position = (page) => page.evaluate(() => document.getElementById('video').currentTime);

test('a viewer goes back to a moment of the broadcast that is on, and comes back live', async () => {
  const page = await openWatch();
  await plays(page, 'webrtc');
  await page.waitForSelector('#timeline:not([hidden])');
  await page.mouse.move(400, 300);
  const bar = await page.locator('#timeline').boundingBox();
  await page.mouse.click(bar.x + bar.width * 0.1, bar.y + bar.height / 2);
  await plays(page, 'rewound');
  const at = await position(page);
  // A tenth of 40 s and of what has gone by since.
  assert.ok(at > 3 && at < 12, `${at} s`);
  await until('it says so', async () =>
    /^00:\d\d behind live$/.test(await page.textContent('#latency')),
  );
  assert.match(await page.textContent('#going'), /recording/);
  assert.equal(await page.isVisible('#badge'), false, 'it is not live');
  await page.mouse.move(420, 320);
  await sleep(400);
  await page.screenshot({ path: artifact(parts.test, 'rewound.png') });

  // Within the recording it's only a jump.
  await page.mouse.click(bar.x + bar.width * 0.3, bar.y + bar.height / 2);
  await until('it is there', async () => (await position(page)) > at + 5);
  assert.equal(await page.getAttribute('html', 'data-player'), 'rewound');

  await page.mouse.move(400, 300);
  await page.click('#back-to-live');
  await plays(page, 'webrtc');
  assert.equal(await page.isVisible('#back-to-live'), false);
  await sleep(400);
  await page.screenshot({ path: artifact(parts.test, 'live-again.png') });
});
