import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { sleep } from '../lib/wait.js';

// Less than the demo takes for one viewer: whoever is first gets it.
const parts = harness('full-way-out', {
  args: ['--demo'],
  env: { SPILLWAY_LIMITS_EGRESS_BITS_PER_SECOND: '200000' },
});
/** What goes out is measured every second. */
const MEASURED_MS = 2_500;

test('a node that sends as much as it may takes no further viewers, until one leaves', async () => {
  const url = parts.spillway.url('/watch/demo');
  const context = await parts.chromium.newContext();
  const first = await context.newPage();
  await first.goto(url);
  await first.waitForSelector('html[data-state="playing"]');
  await sleep(MEASURED_MS);
  const second = await context.newPage();
  await second.goto(url);
  await second.waitForSelector('html[data-state="reconnecting"]');
  const notice = await second.textContent('body');
  assert.match(notice, /sends as much as it may/);
  assert.equal(await first.getAttribute('html', 'data-state'), 'playing');
  await first.close();
  await second.waitForSelector('html[data-state="playing"]', { timeout: 30_000 });
});
