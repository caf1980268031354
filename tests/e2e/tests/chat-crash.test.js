import assert from 'node:assert/strict';
import test from 'node:test';
import { ChatLoad } from '../lib/chat-load.js';
import { harness } from '../lib/harness.js';
import { until } from '../lib/wait.js';

/** What the room would otherwise refuse or not show. */
const UNBOUND = {
  SPILLWAY_CHAT_AUTHOR_RATE: '100',
  SPILLWAY_CHAT_AUTHOR_BURST: '200',
  SPILLWAY_CHAT_ROOM_RATE: '5000',
  SPILLWAY_CHAT_SHOWN_RATE: '5000',
};
const SOUND = { missing: 0, doubled: 0, out_of_order: 0, differing: 0, unseen: 0 };

const parts = harness('chat-crash', { browser: false, env: UNBOUND });

async function start(channel, ...args) {
  await parts.spillway.createChannel(channel);
  const { test, spillway } = parts;
  return ChatLoad.start({ test, spillway, args: ['--channel', channel, ...args] });
}

test('kill -9 in the middle of 1,000 messages a second loses and doubles nothing', async () => {
  const { spillway } = parts;
  const load = await start(
    'crash',
    ...['--viewers', '60', '--writers', '50', '--rate', '1000'],
    ...['--duration', '8s', '--linger', '30s'],
  );
  // That comes 5 s after all have joined: 4 s of the 8 are over.
  await until('half is written', () => load.hasToldProgress, { timeout: 40_000 });
  await spillway.killServer();
  await spillway.restart();
  const { report, output, code } = await load.finish();
  assert.equal(code, 0, output);
  assert.deepEqual(report.faults, SOUND);
  assert.equal(report.lost_connections, 60, 'the crash was while all were there');
  assert.equal(report.absent, 0);
  const { sent, acknowledged, refused, unanswered, repeated } = report.written;
  assert.ok(repeated > 0, 'some were on their way when the node was killed');
  assert.ok(sent > 5_000, `${sent} were sent`);
  assert.deepEqual(
    { acknowledged, refused, unanswered },
    { acknowledged: sent, refused: 0, unanswered: 0 },
  );
  // Each is in the log once, and everybody heard all of it.
  assert.equal(report.stored, sent);
  assert.equal(report.stored_twice, 0);
  assert.equal(report.entries, sent);
  assert.equal(report.delivered, 60 * sent);
  assert.deepEqual(report.audit, { same: sent, changed: 0, too_old: 0 });
});
