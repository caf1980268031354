import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { load } from '../lib/load.js';
import { testFile } from '../lib/media.js';
import { assertPlays, viewIn } from '../lib/viewing.js';
import { until } from '../lib/wait.js';

const parts = harness('load-file');

test('a load test publishes a file that browsers show, and still counts every packet', async () => {
  const { spillway } = parts;
  const { h264 } = await testFile(2);
  const loading = load(
    spillway,
    ...['--file', h264, '--viewers', '20', '--settle', '1s', '--duration', '12s', '--linger', '1s'],
  );
  // Whether it went well is asked below.
  loading.catch(() => {});
  await until(
    'viewers join',
    async () => (await spillway.metric('spillway_sessions{', 'view')) > 10,
  );
  const viewer = await parts.openBench();
  await viewIn(viewer, { url: spillway.url('/whep/load') });
  const seen = await assertPlays(viewer, { sound: false, frames: 150 });
  assert.equal(seen.mimeType, 'video/H264');
  assert.equal(seen.height, 720);
  const report = await loading;
  assert.deepEqual(report.failures, {});
  assert.ok(report.expected_pictures >= 20 * 350, `${report.expected_pictures} pictures`);
  assert.equal(report.latency_ms.count, report.expected_pictures);
  assert.equal(report.lost, 0);
  assert.equal(report.lost_pictures, 0);
  assert.equal(report.unmarked, 0);
  assert.match(report.setting, /^1 × 20 viewers, gop-2.h264 at 30 fps, /);
});
