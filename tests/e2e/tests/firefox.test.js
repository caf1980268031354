import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { launchFirefox, openFirefoxBench } from '../lib/firefox.js';
import { harness } from '../lib/harness.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('firefox');
let firefox;

before(async () => {
  firefox = await launchFirefox();
});

after(async () => {
  await firefox?.close();
});

test('Firefox publishes VP8, and Firefox and Chromium watch it', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'fox');
  const publisher = await openFirefoxBench(firefox, parts.bench);
  await publishFrom(publisher, { url: spillway.url('/whip/fox'), token, codec: 'VP8' });

  const chromium = await parts.openBench();
  await viewIn(chromium, { url: spillway.url('/whep/fox') });
  const seen = await assertPlays(chromium);
  assert.equal(seen.mimeType, 'video/VP8');

  const viewer = await openFirefoxBench(firefox, parts.bench);
  await viewIn(viewer, { url: spillway.url('/whep/fox') });
  await assertPlays(viewer);
});
