import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { assertPlays, closeSession, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('chromium-codecs');

for (const codec of ['H264', 'VP8', 'VP9', 'AV1']) {
  test(`Chromium publishes ${codec} with audio, and another Chromium watches it`, async () => {
    const { spillway } = parts;
    const channel = `codec-${codec}`;
    const token = await spillway.token('publish', channel);
    const [publisher, viewer] = [await parts.openBench(), await parts.openBench()];
    await publishFrom(publisher, { url: spillway.url(`/whip/${channel}`), token, codec });
    await viewIn(viewer, { url: spillway.url(`/whep/${channel}`) });
    const seen = await assertPlays(viewer);
    assert.equal(seen.mimeType, `video/${codec}`);
    assert.equal(seen.audioMimeType, 'audio/opus');
    await closeSession(viewer, 'viewer');
    await closeSession(publisher, 'publisher');
    await publisher.context().close();
    await viewer.context().close();
  });
}
