import assert from 'node:assert/strict';
import test from 'node:test';
import { report } from '../lib/artifacts.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { watch } from '../lib/loss.js';
import { publishLayers, steadyViewer } from '../lib/rate-drop.js';
import { closeSession } from '../lib/viewing.js';
import { sleep } from '../lib/wait.js';

const SECONDS = Number(process.env.LOSS_SECONDS ?? 60);
/** Until the node has seen how lossy the path is. */
const SETTLE_MS = 6_000;
const CLEAN = ['--loss', '0%', '--back-loss', '0%', '--delay', '10ms'];
const parts = linkHarness('flexfec', [...CLEAN, '--seed', '1']);

/** Viewers side by side on one path, so that what else the machine does concerns them all. */
async function compare(name, conditions, viewers) {
  const { spillway, link } = parts.setup;
  const obs = await publishLayers(spillway);
  const pages = [];
  try {
    await link.change(...CLEAN);
    for (const options of Object.values(viewers))
      pages.push(await steadyViewer({ ...parts.setup, ...options }));
    await link.change(...conditions);
    await sleep(SETTLE_MS);
    const all = await Promise.all(pages.map((page) => watch(page, () => obs.frames, SECONDS)));
    const figures = Object.fromEntries(Object.keys(viewers).map((key, i) => [key, all[i]]));
    report(`${parts.test}-${name}`, figures);
    return figures;
  } finally {
    for (const page of pages) {
      await closeSession(page, 'viewer');
      await page.context().close();
    }
    await obs.stop();
  }
}

for (const [trip, delay] of [
  [60, '30ms'],
  [150, '75ms'],
]) {
  test(`5 % random loss both ways at a round trip of ${trip} ms`, { skip }, async () => {
    const conditions = ['--loss', '5%', '--back-loss', '5%', '--delay', delay];
    const viewers = { repaired: {}, plain: { flexfec: false } };
    const { repaired, plain } = await compare(`${trip}ms`, conditions, viewers);
    assert.equal(plain.repairPackets, 0);
    assert.ok(repaired.repairPackets > 5 * SECONDS, `${repaired.repairPackets} repair packets`);
    assert.ok(repaired.decodedShare >= 0.985, `${repaired.decodedShare} of the frames decoded`);
    const sooner = plain.bufferMs - repaired.bufferMs;
    assert.ok(sooner > 0, `pictures whole ${sooner} ms sooner`);
  });
}

test('repair packets alone: nothing is sent again', { skip }, async () => {
  const conditions = ['--loss', '2%', '--back-loss', '0%', '--delay', '75ms'];
  const viewers = {
    repaired: { resends: false },
    plain: { resends: false, flexfec: false },
  };
  const { repaired, plain } = await compare('alone', conditions, viewers);
  assert.equal(repaired.retransmitted ?? 0, 0);
  const [most, least] = [repaired, plain].map(({ decodedShare }) => decodedShare);
  assert.ok(most > least, `${most} of the frames decoded, and ${least} without`);
});

test('a path that loses nothing gets no repair packets', { skip }, async () => {
  const conditions = ['--loss', '0%', '--back-loss', '0%', '--delay', '75ms'];
  const { clean } = await compare('clean', conditions, { clean: {} });
  assert.equal(clean.repairPackets, 0);
});
