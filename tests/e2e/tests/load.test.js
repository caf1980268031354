import assert from 'node:assert/strict';
import test from 'node:test';
import { figures } from '../lib/growth.js';
import { harness } from '../lib/harness.js';
import { load } from '../lib/load.js';
import { until } from '../lib/wait.js';

const STEADY = ['--settle', '2s', '--duration', '5s', '--linger', '2s'];

/** Far fewer than viewers came: connections of this test's own. */
const FEW = 6;

const parts = harness('load', { browser: false });

test('viewers of a load test get every packet, and the report says so', async () => {
  const report = await load(parts.spillway, '--viewers', '60', '--data-channel', ...STEADY);
  assert.deepEqual(report.failures, {});
  assert.equal(report.viewers, 60);
  assert.equal(report.data_channels, 60);
  assert.equal(report.without_picture, 0);
  assert.equal(report.join_ms.count, 60);
  // 30 pictures and 50 packets of sound a second, 5 s, to each.
  assert.ok(report.latency_ms.count > 60 * 30 * 4.5, `${report.latency_ms.count} pictures`);
  assert.ok(report.expected > 60 * (250 + 50) * 4.5, `${report.expected} packets`);
  assert.equal(report.lost, 0);
  assert.ok(report.expected_pictures > 60 * 30 * 4.5, `${report.expected_pictures} pictures`);
  assert.equal(report.lost_pictures, 0);
  assert.equal(report.never_live, 0);
  assert.equal(report.longest_gap_ms.count, 60);
  assert.equal(report.duplicates, 0);
  assert.equal(report.broken, 0);
  assert.ok(report.datagrams_per_message > 2, 'bursts arrive as bursts');
  assert.ok(report.server.ns_per_datagram > 0);
  assert.match(report.table, /lost +0 of \d+/);
  assert.match(report.html, /<polyline/);
});

test('a ramp measures each step by itself', async () => {
  const report = await load(
    parts.spillway,
    ...['--steps', '10,20,40', '--settle', '1s', '--duration', '3s', '--linger', '1s'],
  );
  assert.deepEqual(report.failures, {});
  const viewers = [10, 20, 40];
  assert.deepEqual(
    report.steps.map((step) => step.viewers),
    viewers,
  );
  for (const [i, step] of report.steps.entries()) {
    const pictures = viewers[i] * 90;
    assert.ok(Math.abs(step.expected_pictures - pictures) <= viewers[i], `${pictures} pictures`);
    assert.equal(step.latency_ms.count, step.expected_pictures);
    assert.equal(step.lost, 0);
    assert.equal(step.longest_gap_ms.count, viewers[i]);
    assert.ok(step.server.ns_per_datagram > 0);
  }
  assert.equal(report.viewers, 40);
  assert.match(report.table, /^ +viewers +median ms[^]+\n +10 [^\n]+\n +20 [^\n]+\n +40 /m);
  assert.match(report.html, /Step by step/);
  assert.match(report.svg, />40 viewers</);
});

test('three layers, and viewers who come and go, some without a word: nothing is left of them', async () => {
  const before = await figures(parts.spillway);
  const report = await load(
    parts.spillway,
    ...['--viewers', '30', '--bitrate', '1mbit,400kbit,150kbit', '--video', 'vp8'],
    ...['--churn', '3s', '--vanish', '0.3', '--settle', '1s', '--duration', '10s'],
  );
  assert.deepEqual(report.failures, {});
  assert.ok(report.joins > 60, `${report.joins} joins`);
  assert.equal(report.without_picture, 0);
  assert.equal(report.broken, 0);
  assert.ok(report.latency_ms.count > 30 * 30 * 7, `${report.latency_ms.count} pictures`);
  // Of those without a word the node hears nothing for 30 s.
  const ended = async () => (await figures(parts.spillway)).sessions === 0;
  await until('all sessions end', ended, { timeout: 40_000, interval: 1_000 });
  const after = await figures(parts.spillway);
  assert.equal(after.workerSessions, 0);
  assert.ok(after.tasks <= before.tasks + FEW, `${before.tasks} tasks, then ${after.tasks}`);
  const { descriptors_before: files, descriptors_after: filesAfter } = report.memory;
  assert.ok(filesAfter <= files + FEW, `${files} open files, then ${filesAfter}`);
});

test('a load test says what a server refuses', async () => {
  const wrong = load(parts.spillway, '--whip-path', '/nowhere/{channel}', ...STEADY);
  await assert.rejects(wrong, /can't publish: 404/);
});
