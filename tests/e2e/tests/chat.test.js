import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { DONORS, donate } from '../lib/donors.js';
import { launchFirefox } from '../lib/firefox.js';
import { harness } from '../lib/harness.js';
import { sleep } from '../lib/wait.js';

const parts = harness('chat', {
  args: ['--demo'],
  hls: true,
  config: DONORS,
});
let firefox;

before(async () => {
  firefox = await launchFirefox();
});

after(async () => {
  await firefox?.close();
});

/** Opens the watch page, by whatever drives the browser. */
async function watch(page, path = '/watch/demo') {
  await page.goto(parts.spillway.url(path));
  await page.waitForSelector('#chat textarea:not([disabled])', { timeout: 20_000 });
}

/** What the panel shows, a line an entry. */
const shown = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('#chat [data-seq]')].map((line) => line.innerText.trim()),
  );

async function showsSoon(page, text) {
  const until = Date.now() + 10_000;
  while (!(await shown(page)).some((line) => line.includes(text))) {
    assert.ok(Date.now() < until, `"${text}" isn't among ${JSON.stringify(await shown(page))}`);
    await sleep(100);
  }
}

async function write(page, text) {
  const field = await page.waitForSelector('#chat textarea:not([disabled])');
  await field.type(text);
  await field.press('Enter');
}

const chromiumPage = async () => (await parts.chromium.newContext()).newPage();

test('Chromium and Firefox talk over data channels, and a bot over a WebSocket', async () => {
  const [one, other] = [await chromiumPage(), await firefox.newPage()];
  const sockets = [];
  one.on('websocket', (socket) => sockets.push(socket.url()));
  await watch(one);
  await watch(other);
  const bot = await Chatter.join(parts.spillway, 'demo', { name: 'Bot' });
  await write(one, 'hello from Chromium');
  await showsSoon(other, 'hello from Chromium');
  await write(other, 'hello from Firefox');
  await showsSoon(one, 'hello from Firefox');
  bot.write('b1', '<img src=x onerror=alert(1)> beep');
  await showsSoon(one, '<img src=x onerror=alert(1)> beep');
  await showsSoon(other, '<img src=x onerror=alert(1)> beep');
  assert.equal(await one.evaluate(() => document.querySelectorAll('#chat img').length), 0);
  assert.deepEqual(bot.texts(), [
    'hello from Chromium',
    'hello from Firefox',
    '<img src=x onerror=alert(1)> beep',
  ]);
  assert.deepEqual(sockets, [], 'the picture’s own connection carries the chat');
  await one.screenshot({ path: artifact(parts.test, 'chromium.png') });
  await other.screenshot({ path: artifact(parts.test, 'firefox.png') });
  bot.close();
  await one.context().close();
  await other.close();
});

/** Stands between a page and its WebSocket, and lets nothing pass while it's off. */
async function cutter(page) {
  const open = [];
  let isOff = false;
  await page.routeWebSocket(/\/chat$/, (socket) => {
    if (isOff) return void socket.close();
    open.push(socket, socket.connectToServer());
  });
  return {
    off: async () => {
      isOff = true;
      await Promise.all(open.splice(0).map((socket) => socket.close()));
    },
    on: () => {
      isOff = false;
    },
  };
}

test('a viewer that is cut off resumes with nothing missing and nothing doubled', async () => {
  const { spillway } = parts;
  const bot = await Chatter.join(spillway, 'demo', { name: 'Cutter' });
  const { last } = await bot.next('welcome');
  const page = await chromiumPage();
  const cut = await cutter(page);
  await watch(page, '/watch/demo?player=hls');
  bot.write('a1', 'before the cut');
  await showsSoon(page, 'before the cut');
  await cut.off();
  for (let n = 0; n < 5; n++) {
    bot.write(`d${n}`, `during ${n}`);
    await sleep(2_000);
  }
  cut.on();
  await showsSoon(page, 'during 4');
  const lines = (await shown(page)).filter((line) => /before the cut|during/.test(line));
  assert.equal(lines.length, 6, lines.join());
  assert.deepEqual(
    lines.slice(1).map((line) => line.match(/during \d/)[0]),
    [0, 1, 2, 3, 4].map((n) => `during ${n}`),
  );
  const again = await Chatter.join(spillway, 'demo', { after: last + 2 });
  await again.next('message', { text: 'during 4' });
  assert.deepEqual(
    again.numbers(),
    [3, 4, 5, 6].map((n) => last + n),
  );
  bot.close();
  again.close();
  await page.context().close();
});

test('who goes over to LL-HLS and back keeps the chat, the place in it and the name', async () => {
  const { spillway } = parts;
  const bot = await Chatter.join(spillway, 'demo', { name: 'Watcher' });
  await bot.next('welcome');
  const page = await chromiumPage();
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await watch(page);
  await page.click('#chat .chat-as');
  await page.fill('#chat .chat-name-field', 'Wanderer');
  await page.press('#chat .chat-name-field', 'Enter');
  const said = [];
  for (const player of ['webrtc', 'hls', 'webrtc']) {
    await page.evaluate((name) => {
      const { player } = document.documentElement.dataset;
      if (player !== name) document.querySelector(`#players [data-player=${name}]`).click();
    }, player);
    // Said while the page goes over.
    const [theirs, own] = [`meanwhile ${said.length}`, `by ${player} ${said.length}`];
    bot.write(`m${said.length}`, theirs);
    await page.waitForSelector(`html[data-player="${player}"][data-state="playing"]`, {
      timeout: 30_000,
    });
    await write(page, own);
    await bot.next('message', { text: own });
    await showsSoon(page, own);
    said.push(theirs, own);
  }
  const authors = bot.received.filter(({ text }) => text?.startsWith('by ')).map((m) => m.author);
  assert.deepEqual(
    authors.map(({ name }) => name),
    ['Wanderer', 'Wanderer', 'Wanderer'],
  );
  assert.equal(new Set(authors.map(({ id }) => id)).size, 1, 'the same author on both ways');
  // Those of others wait for their pictures, and all come to their places.
  for (const text of said) await showsSoon(page, text);
  await page.waitForFunction(
    () => !document.querySelector('#chat').innerText.includes('being sent'),
  );
  const lines = (await shown(page)).filter((line) => /meanwhile|by (webrtc|hls)/.test(line));
  assert.equal(lines.length, said.length, lines.join());
  said.forEach((text, i) => assert.ok(lines[i].includes(text), lines.join()));
  assert.ok(sockets.length > 0, 'LL-HLS has its chat over a WebSocket');
  bot.close();
  await page.context().close();
});

test('a moderator deletes, times out and bans, on the page', async () => {
  const { spillway } = parts;
  const token = await spillway.token('moderate', 'demo');
  const troll = await Chatter.join(spillway, 'demo', { name: 'Troll' });
  await troll.next('welcome');
  const [moderator, viewer] = [await chromiumPage(), await chromiumPage()];
  await watch(moderator, `/watch/demo#token=${token}`);
  await watch(viewer);
  troll.write('t1', 'something nasty');
  await showsSoon(viewer, 'something nasty');
  await showsSoon(moderator, 'something nasty');
  const act = async (text, label) => {
    const line = moderator.locator('#chat [data-seq]', { hasText: text }).last();
    await line.hover();
    await line.getByRole('button').last().click();
    await moderator.getByRole('menuitem', { name: label }).click();
  };
  await act('something nasty', /delete/i);
  await viewer.waitForFunction(
    () => !document.getElementById('chat').innerText.includes('something nasty'),
  );
  troll.write('t2', 'more of it');
  await showsSoon(moderator, 'more of it');
  await act('more of it', /time ?out/i);
  await troll.next('rights', { write: false });
  troll.write('t3', 'and more');
  assert.equal((await troll.next('error', { id: 't3' })).code, 'timed_out');
  await moderator.screenshot({ path: artifact(parts.test, 'moderator.png') });
  troll.close();
  await moderator.context().close();
  await viewer.context().close();
});

test('a message pinned long ago is shown to who comes, until it is unpinned', async () => {
  const { spillway } = parts;
  const token = await spillway.token('moderate', 'demo');
  const moderator = await Chatter.join(spillway, 'demo', { name: 'Mo', token, history: 0 });
  await moderator.next('welcome');
  moderator.write('p1', 'the rules of the house');
  const { seq } = await moderator.next('message', { id: 'p1' });
  const page = await chromiumPage();
  await watch(page);
  const bar = (text) =>
    page.waitForFunction((text) => {
      const pinned = document.querySelector('#chat .chat-pinned');
      return text === null ? pinned.hidden : pinned.innerText.includes(text);
    }, text);
  await bar(null);
  moderator.send({ type: 'moderate', id: 'p2', action: { kind: 'pin', seq } });
  await bar('the rules of the house');
  const newcomer = await Chatter.join(spillway, 'demo', { history: 0 });
  const { pinned } = await newcomer.next('welcome');
  assert.equal(pinned.text, 'the rules of the house');
  moderator.send({ type: 'moderate', id: 'p3', action: { kind: 'pin', seq: null } });
  await bar(null);
  assert.equal((await newcomer.next('pinned')).entry, null);
  moderator.close();
  newcomer.close();
  await page.context().close();
});

test('reactions are counted for all', async () => {
  const [one, other] = [await chromiumPage(), await chromiumPage()];
  const bot = await Chatter.join(parts.spillway, 'demo', {});
  await bot.next('welcome');
  await watch(one);
  await watch(other);
  const button = one.getByRole('button', { name: /React with 🔥/ });
  for (let n = 0; n < 7; n++) await button.click();
  const counted = () =>
    bot.received
      .filter(({ type }) => type === 'reactions')
      .reduce((sum, { counts }) => sum + (counts['🔥'] ?? 0), 0);
  await bot.until('seven taps', () => counted() === 7);
  bot.close();
  await one.context().close();
  await other.context().close();
});

test('a donation is shown, once however often it is told, and counts toward the goal', async () => {
  const { spillway } = parts;
  const streamer = await Chatter.join(spillway, 'demo', {
    token: await spillway.token('publish', 'demo'),
  });
  await streamer.next('welcome');
  const goal = { kind: 'goal', currency: 'EUR', amount: 2_000, title: 'A new lens' };
  streamer.send({ type: 'moderate', id: 'g', action: goal });
  await streamer.next('goal');
  const page = await chromiumPage();
  await watch(page);
  const members = { name: 'Grace', amount: 500, text: 'keep going' };
  const tell = (how) => donate(spillway, 'demo', 'pay-1', members, how);
  assert.equal((await tell({ secret: 'a secret of somebody else' })).status, 401);
  assert.equal((await tell({ at: Date.now() - 3_600_000 })).status, 401);
  const first = await tell();
  assert.equal(first.status, 201);
  const { seq } = first.body;
  const again = await tell();
  assert.deepEqual([again.status, again.body], [200, { seq, known: true }]);
  await showsSoon(page, 'keep going');
  const event = await streamer.next('event', { seq });
  assert.equal(event.event.amount, 500);
  await streamer.until('the goal', () =>
    streamer.received.some((object) => object.type === 'goal' && object.goal?.raised === 500),
  );
  await page.waitForFunction(() => document.body.innerText.includes('A new lens'));
  await page.screenshot({ path: artifact(parts.test, 'donation.png') });
  const overlay = await chromiumPage();
  await overlay.goto(spillway.url('/overlay/demo'));
  await overlay.waitForFunction(() => document.body.innerText.includes('A new lens'));
  await overlay.screenshot({ path: artifact(parts.test, 'overlay.png') });
  streamer.close();
  await page.context().close();
  await overlay.context().close();
});

test('what is hostile is refused with a reason, and disturbs nobody', async () => {
  const { spillway } = parts;
  const good = await Chatter.join(spillway, 'demo', { name: 'Good' });
  await good.next('welcome');
  const code = async (frame, hello = {}) => {
    const chatter = await Chatter.join(spillway, 'demo', hello);
    await chatter.next('welcome');
    chatter.send(frame);
    const { code } = await chatter.next('error');
    chatter.close();
    return code;
  };
  assert.equal(await code('{'), 'malformed');
  assert.equal(await code({ type: 'sing' }), 'unknown');
  assert.equal(await code({ type: 'message', id: 'x', text: 'x'.repeat(501) }), 'too_long');
  assert.equal(await code({ type: 'hello' }), 'hello_first');
  const action = { kind: 'ban', author: 'somebody' };
  assert.equal(await code({ type: 'moderate', action }), 'forbidden');
  const forged = await Chatter.join(spillway, 'demo', { token: 'eyJhbGciOiJub25lIn0.e30.' });
  assert.equal((await forged.next('error')).code, 'unauthorized');
  await forged.until('the end', () => forged.closed !== null);
  const huge = await Chatter.join(spillway, 'demo', {});
  huge.send('x'.repeat(100_000));
  await huge.until('the end', () => huge.closed !== null);
  const flood = await Chatter.join(spillway, 'demo', {});
  await flood.next('welcome');
  for (let n = 0; n < 3_000; n++) flood.write(`f${n}`, `flood ${n}`);
  await flood.until('the end', () => flood.closed !== null);
  good.write('g1', 'still here');
  await good.next('message', { text: 'still here' });
  assert.ok(good.texts().filter((text) => text.startsWith('flood')).length <= 10);
  good.close();
});
