import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { until } from '../lib/wait.js';

// One place for a browser: the sidecar takes none.
const parts = harness('viewers-spill-over', {
  args: ['--demo'],
  env: { SPILLWAY_LIMITS_VIEWERS: '1' },
  hls: true,
});

const stateOf = (page) =>
  page.evaluate(() => {
    const { player, state } = document.documentElement.dataset;
    return `${player} ${state}`;
  });

test('a viewer whom the node has no room for watches LL-HLS', async () => {
  const url = parts.spillway.url('/watch/demo');
  const context = await parts.chromium.newContext();
  await until('the sidecar has the demo', async () => {
    const answer = await fetch(parts.spillway.url('/hls/demo/index.m3u8'));
    return answer.ok;
  });
  const first = await context.newPage();
  await first.goto(url);
  await first.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
  const second = await context.newPage();
  await second.goto(url);
  await second.waitForSelector('html[data-player="hls"][data-state="playing"]');
  assert.equal(await stateOf(first), 'webrtc playing', 'the first one stays where it is');
  // Room again: the switch leads back.
  await first.close();
  await second.mouse.move(300, 300);
  await second.click('#players [data-player=webrtc]');
  await second.waitForSelector('html[data-player="webrtc"][data-state="playing"]');
});
