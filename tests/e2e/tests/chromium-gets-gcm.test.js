import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('chromium-gets-gcm');

test('Chromium, which lists AES-CM first, gets AES-GCM in both roles', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'gcm');
  const [publisher, viewer] = [await parts.openBench(), await parts.openBench()];
  await publishFrom(publisher, { url: spillway.url('/whip/gcm'), token, codec: 'VP8' });
  await viewIn(viewer, { url: spillway.url('/whep/gcm') });
  await assertPlays(viewer);
  const sending = await publisher.evaluate(() => window.publisher.transport());
  const receiving = await viewer.evaluate(() => window.viewer.transport());
  assert.match(sending.srtpCipher, /AEAD_AES_(128|256)_GCM$/);
  assert.match(receiving.srtpCipher, /AEAD_AES_(128|256)_GCM$/);
});
