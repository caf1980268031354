import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('ice-tcp-viewer');

test('a viewer whose network lets no UDP through plays over ICE-TCP', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'tcp');
  const publisher = await parts.openBench();
  await publishFrom(publisher, { url: spillway.url('/whip/tcp'), token, codec: 'H264' });
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/tcp'), only: 'tcp' });
  await assertPlays(viewer);
  const { remote } = await viewer.evaluate(() => window.viewer.transport());
  assert.equal(remote.protocol, 'tcp');
});
