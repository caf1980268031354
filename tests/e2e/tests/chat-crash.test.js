import assert from 'node:assert/strict';
import test from 'node:test';
import { Chatter } from '../lib/chat.js';
import { ChatLoad } from '../lib/chat-load.js';
import { DONORS, Donors } from '../lib/donors.js';
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

const parts = harness('chat-crash', { browser: false, env: UNBOUND, config: DONORS });

async function start(channel, ...args) {
  await parts.spillway.createChannel(channel);
  const { test, spillway } = parts;
  return ChatLoad.start({ test, spillway, args: ['--channel', channel, ...args] });
}

test('kill -9 in the middle of 1,000 messages and 100 donations a second loses and doubles nothing', async () => {
  const { spillway } = parts;
  const load = await start(
    'crash',
    ...['--viewers', '60', '--writers', '50', '--rate', '1000'],
    ...['--duration', '8s', '--linger', '30s'],
  );
  const donors = new Donors(spillway, 'crash', 100);
  // That comes 5 s after all have joined: 4 s of the 8 are over.
  await until('half is written', () => load.hasToldProgress, { timeout: 40_000 });
  await spillway.killServer();
  await spillway.restart();
  const { report, output, code } = await load.finish();
  const donated = await donors.finish();
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
  assert.deepEqual(report.audit, { same: report.entries, changed: 0, too_old: 0 });
  await hasOnce('crash', donated);
});

/** That each donation is in the log once, where its provider was told that it is. */
async function hasOnce(channel, donated) {
  const reader = await Chatter.join(parts.spillway, channel, { after: 0 });
  const { last } = await reader.next('welcome');
  await reader.until('all of the log', () => reader.numbers().at(-1) >= last);
  reader.close();
  const numbers = reader.numbers();
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, i) => i + 1),
  );
  const events = reader.received.filter(({ type }) => type === 'event');
  const found = events.map(({ seq, event }) => [event.amount, seq]);
  assert.ok(found.length > 1_000, `${found.length} donations`);
  assert.deepEqual(new Map(found), donated);
  assert.equal(found.length, donated.size, 'none is there twice');
}
