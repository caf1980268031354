import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { harness } from '../lib/harness.js';
import { startTurn } from '../lib/turn.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('turn-viewer');
let turn;

before(async () => {
  turn = await startTurn('turn-viewer');
});

after(async () => {
  await turn?.stop();
});

test('a viewer behind a TURN relay plays', async () => {
  const { spillway } = parts;
  const token = await spillway.token('publish', 'turn');
  const publisher = await parts.openBench();
  await publishFrom(publisher, { url: spillway.url('/whip/turn'), token, codec: 'VP8' });
  const viewer = await parts.openBench();
  const { iceServers } = turn;
  await viewIn(viewer, {
    url: spillway.url('/whep/turn'),
    iceServers,
    iceTransportPolicy: 'relay',
  });
  await assertPlays(viewer);
  const { local } = await viewer.evaluate(() => window.viewer.transport());
  assert.equal(local.candidateType, 'relay');
});
