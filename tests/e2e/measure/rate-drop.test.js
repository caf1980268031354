import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { CONDITIONS, rateDrop } from '../lib/rate-drop.js';

const parts = linkHarness('rate-drop', CONDITIONS);

test('a link that falls from 5 Mbit/s to 0.8 and recovers', { skip }, async () => {
  const { figures } = await rateDrop(parts.setup);
  report(parts.test, figures);
  assert.ok(figures.fittingLayerMs <= 3_000, `a fitting layer after ${figures.fittingLayerMs} ms`);
  assert.ok(figures.longestFreezeMs <= 1_000, `frozen for ${figures.longestFreezeMs} ms`);
  assert.ok(figures.topAgainMs <= 10_000, `the top layer again after ${figures.topAgainMs} ms`);
  for (const [when, share] of Object.entries(figures.steady))
    assert.ok(share >= 0.8, `${when}: ${share} of the time on the best fitting layer`);
});
