import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { assertPlays, viewIn } from '../lib/viewing.js';

const parts = harness('demo-plays', { args: ['--demo'] });

test('the demo plays on its watch page', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url('/watch/demo'));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 15_000 });
  await page.waitForFunction(() => window.spillway.stats?.video?.framesDecoded > 60);
  const stats = await page.evaluate(() => window.spillway.stats);
  assert.equal(stats.video.codec, 'H264');
  assert.deepEqual([stats.video.width, stats.video.height], [1280, 720]);
  await page.screenshot({ path: artifact(parts.test, 'demo.png') });
});

test("the demo's clock is live and its sound is heard", async () => {
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: parts.spillway.url('/whep/demo') });
  const seen = await assertPlays(viewer, { frames: 90 });
  const latest = seen.ages.slice(-30);
  assert.ok(Math.max(...latest) < 500, `the last pictures were ${latest} ms old`);
});
