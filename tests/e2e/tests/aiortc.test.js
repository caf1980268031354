import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { PYTHON } from '../lib/cache.js';
import { harness } from '../lib/harness.js';
import { Process } from '../lib/process.js';
import { assertPlays, publishFrom, viewIn } from '../lib/viewing.js';

const parts = harness('aiortc');
const SCRIPTS = path.join(import.meta.dirname, '../aiortc');

function aiortc(script, ...args) {
  return new Process({
    test: parts.test,
    name: `aiortc-${script}-${args[0].split('/').at(-1)}`,
    command: PYTHON,
    args: [path.join(SCRIPTS, `${script}.py`), ...args],
  });
}

test('aiortc publishes H.264, and Chromium watches it', async () => {
  const { spillway } = parts;
  await spillway.createChannel('snake');
  const token = await spillway.token('publish', 'snake');
  const publisher = aiortc(
    'publish',
    spillway.url('/whip/snake'),
    '--token',
    token,
    '--seconds',
    '12',
  );
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/snake') });
  await assertPlays(viewer, { timecodes: false });
  assert.deepEqual(await publisher.exit, { code: 0, signal: null }, publisher.output);
  assert.match(publisher.output, /state connected/);
  assert.match(publisher.output, /deleted 200/);
});

for (const codec of ['H264', 'VP8']) {
  test(`aiortc watches ${codec} from Chromium`, async () => {
    const { spillway } = parts;
    const channel = `to-snake-${codec}`;
    const token = await spillway.token('publish', channel);
    const publisher = await parts.openBench();
    await publishFrom(publisher, {
      url: spillway.url(`/whip/${channel}`),
      token,
      codec,
      width: 640,
      height: 360,
    });
    const viewer = aiortc('view', spillway.url(`/whep/${channel}`), '--seconds', '8');
    assert.deepEqual(await viewer.exit, { code: 0, signal: null }, viewer.output);
    const seen = JSON.parse(viewer.output.trim().split('\n').at(-1));
    assert.ok(seen.videoFrames > 60, JSON.stringify(seen));
    assert.ok(seen.changes > seen.videoFrames / 2, JSON.stringify(seen));
    assert.deepEqual([seen.width, seen.height], [640, 360]);
    assert.ok(seen.audioFrames > 150 && seen.loudest > 500, JSON.stringify(seen));
    await publisher.context().close();
  });
}
