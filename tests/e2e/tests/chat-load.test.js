import assert from 'node:assert/strict';
import test from 'node:test';
import { ChatLoad } from '../lib/chat-load.js';
import { harness } from '../lib/harness.js';

/** Less than is written below, so that not all is shown. */
const SHOWN = 20;
const RATES = {
  SPILLWAY_CHAT_AUTHOR_RATE: '100',
  SPILLWAY_CHAT_AUTHOR_BURST: '200',
  SPILLWAY_CHAT_SHOWN_RATE: String(SHOWN),
};

const parts = harness('chat-load', { browser: false, env: RATES });

async function chat(channel, ...args) {
  await parts.spillway.createChannel(channel);
  const { test, spillway } = parts;
  const load = await ChatLoad.start({ test, spillway, args: ['--channel', channel, ...args] });
  const { report, output, code } = await load.finish();
  assert.equal(code, 0, output);
  return report;
}

for (const transport of ['websocket', 'datachannel'])
  test(`by ${transport} all hear the same, also of a room too busy to read`, async () => {
    const report = await chat(
      `busy-${transport}`,
      ...['--transport', transport, '--viewers', '60', '--writers', '20', '--rate', '60'],
      ...['--taps', '120', '--duration', '5s'],
    );
    assert.deepEqual(report.errors, {});
    assert.deepEqual(report.failures, {});
    const { sent, acknowledged } = report.written;
    assert.ok(sent > 290, `${sent} were sent`);
    assert.equal(acknowledged, sent);
    assert.equal(report.stored, sent);
    assert.equal(report.delivered, 60 * sent);
    const shown = sent - report.hidden;
    // A second's worth at once, and 20 a second for 5 s.
    assert.ok(shown >= 4 * SHOWN && shown <= 7 * SHOWN, `${shown} of ${sent} were shown`);
    assert.equal(report.latency_ms.count, 60 * shown);
    assert.equal(report.taps.told_least, report.taps.sent);
    assert.ok(report.log_frames_per_second < 12, `${report.log_frames_per_second} a second`);
  });

test('taps of many are counted, and told ten times a second at most', async () => {
  const report = await chat(
    'taps',
    ...['--viewers', '200', '--writers', '5', '--rate', '5', '--taps', '1000', '--duration', '5s'],
  );
  const { sent, told_least: least, told_most: most, too_often: tooOften } = report.taps;
  assert.ok(sent > 4_000, `${sent} taps`);
  assert.deepEqual({ least, most, tooOften }, { least: sent, most: sent, tooOften: 0 });
});

test('a load test of the chat says what the node refuses', async () => {
  const { test, spillway } = parts;
  const load = await ChatLoad.start({ test, spillway, args: ['--channel', 'nowhere'] });
  const { report, output, code } = await load.finish();
  assert.equal(code, 1);
  assert.equal(report, null);
  assert.match(output, /404: .*there is no channel/);
});
