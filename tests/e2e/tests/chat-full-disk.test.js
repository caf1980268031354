import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Bench } from '../lib/bench.js';
import { Chatter } from '../lib/chat.js';
import { launchChromium, openBench } from '../lib/chromium.js';
import { DONORS, donate } from '../lib/donors.js';
import { besideOnSmallDisk, onSmallDisk, seenFrom } from '../lib/small-disk.js';
import { Spillway } from '../lib/spillway.js';
import { assertPlays, decoded, viewIn } from '../lib/viewing.js';
import { sleep, until } from '../lib/wait.js';

const TEST = 'chat-full-disk';
const DISK_MIB = 32;
/** More than fits into what the database had of the disk before it was full. */
const MOST_MESSAGES = 10_000;

let spillway;
let bench;
let chromium;

before(async () => {
  spillway = await Spillway.start({
    test: TEST,
    args: ['--demo'],
    prefix: onSmallDisk(DISK_MIB),
    config: DONORS,
    env: { SPILLWAY_CHAT_AUTHOR_RATE: '10000', SPILLWAY_CHAT_AUTHOR_BURST: '10000' },
  });
  spillway.beside = besideOnSmallDisk(spillway.pid);
  bench = await Bench.start();
  chromium = await launchChromium();
});

after(async () => {
  await chromium?.close();
  await bench?.stop();
  await spillway?.stop();
});

/** Takes all that is left of the disk. */
async function fill(file) {
  const handle = await fs.open(file, 'w');
  const block = Buffer.alloc(64 << 10, 1);
  try {
    for (;;) await handle.write(block);
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  } finally {
    await handle.close();
  }
}

/** Writes until the log takes no more: the error, and how many it took. */
async function writeUntilRefused(writer) {
  const refused = () => writer.received.find(({ type }) => type === 'error');
  for (let n = 0; n < MOST_MESSAGES && !refused(); n += 1) {
    writer.write(`full-${n}`, `${n} ${'x'.repeat(400)}`);
    if (n % 20 === 19) await sleep(20);
  }
  return writer.next('error');
}

test('where the disk is full, who writes hears so, who watches sees on, and later all can be written', async () => {
  const page = await openBench(chromium, bench);
  await viewIn(page, { url: spillway.url('/whep/demo') });
  await assertPlays(page);
  const [writer, reader] = [
    await Chatter.join(spillway, 'demo', { name: 'Writer' }),
    await Chatter.join(spillway, 'demo', { name: 'Reader' }),
  ];
  await Promise.all([writer.next('welcome'), reader.next('welcome')]);
  writer.write('before', 'there is room');
  await reader.next('message', { id: 'before' });

  const filler = seenFrom(spillway.pid, path.join(spillway.dataDir, 'filler'));
  await fill(filler);
  const error = await writeUntilRefused(writer);
  assert.equal(error.code, 'store', JSON.stringify(error));
  assert.match(error.text, /can't be stored|can't be written/);
  const told = await donate(spillway, 'demo', 'payment', { amount: 500 });
  assert.equal(told.status, 503);
  assert.ok(Number(told.headers.get('retry-after')) > 0);
  const { frames } = await decoded(page);
  await until('a second of pictures', async () => (await decoded(page)).frames > frames + 25, {
    timeout: 5_000,
  });
  // What isn't in the log doesn't need it.
  const [emoji] = reader.received.find(({ type }) => type === 'welcome').reactions;
  reader.send({ type: 'reaction', emoji, count: 3 });
  await writer.until('a reaction', () =>
    writer.received.some(({ type, counts }) => type === 'reactions' && counts[emoji] === 3),
  );

  await fs.rm(filler);
  await until('messages can be written again', async () => {
    writer.write(error.id, 'there is room again');
    await sleep(300);
    return writer.received.some(({ type, id }) => type === 'message' && id === error.id);
  });
  const place = await donate(spillway, 'demo', 'payment', { amount: 500 });
  assert.equal(place.status, 201, JSON.stringify(place.body));
  await reader.next('event', { seq: place.body.seq });
  // The donation came last: all before it was heard, once and in order, and what was refused isn't among it.
  for (const { received } of [writer, reader]) {
    const entries = received.filter(({ type }) => type === 'message');
    const ids = entries.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const refused = received.filter(({ type }) => type === 'error').map(({ id }) => id);
    assert.deepEqual(
      refused.filter((id) => id !== error.id && ids.includes(id)),
      [],
    );
  }
  const numbers = reader.numbers();
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => numbers[0] + i),
  );
  writer.close();
  reader.close();
});
