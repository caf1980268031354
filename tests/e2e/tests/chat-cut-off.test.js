import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { Chatter } from '../lib/chat.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { sleep, until } from '../lib/wait.js';

/** A viewer at the other end of a link that carries nothing for a while: picture and data channels together. */
const parts = linkHarness('chat-cut-off', ['--rate', '10mbit', '--delay', '20ms', '--seed', '1']);
const CHANNEL = 'show';
const CUT_MS = 10_000;
const SAID = 5;
/** It may take a new session. */
const BACK_MS = 30_000;

/** The messages that the panel shows, without one that isn't in the log yet. */
const shown = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('#chat [data-seq]')]
      .filter((line) => line.dataset.seq !== '0')
      .map((line) => line.querySelector('.chat-text').innerText),
  );

const shows = (page, text, timeout) =>
  until(`“${text}” is shown`, async () => (await shown(page)).some((line) => line.includes(text)), {
    timeout,
  });

async function write(page, text) {
  await page.fill('#chat textarea', text);
  await page.press('#chat textarea', 'Enter');
}

test(
  'a viewer on data channels that is cut off for 10 s misses nothing and has nothing twice',
  { skip },
  async (t) => {
    const { spillway, link, far } = parts.setup;
    const token = await spillway.token('publish', CHANNEL);
    const obs = await ObsPublisher.start({ url: spillway.url(`/whip/${CHANNEL}`), token, gop: 2 });
    t.after(() => obs.stop());
    const bot = await Chatter.join(spillway, CHANNEL, { name: 'Bot' });
    t.after(() => bot.close());
    const page = await (await far.newContext()).newPage();
    const sockets = [];
    page.on('websocket', (socket) => sockets.push(socket.url()));
    await page.goto(spillway.url(`/watch/${CHANNEL}`));
    await page.waitForSelector('#chat textarea:not([disabled])', { timeout: 20_000 });
    bot.write('before', 'before the cut');
    await shows(page, 'before the cut');
    assert.deepEqual(sockets, [], 'it talks over data channels');

    await link.change('--loss', '100%');
    await write(page, 'said into nothing');
    for (let n = 0; n < SAID; n++) {
      bot.write(`during${n}`, `during ${n}`);
      await sleep(CUT_MS / SAID);
    }
    const meanwhile = await shown(page);
    assert.ok(!meanwhile.some((line) => line.includes('during')), `${meanwhile}: it was cut off`);
    const on = Date.now();
    await link.change('--loss', '0%');
    await shows(page, `during ${SAID - 1}`, BACK_MS);
    const backMs = Date.now() - on;
    await bot.next('message', { text: 'said into nothing' });
    await shows(page, 'said into nothing', BACK_MS);
    bot.write('after', 'after the cut');
    await shows(page, 'after the cut');

    const inLog = bot.texts();
    assert.deepEqual(await shown(page), inLog, 'all of the log, in its order, once');
    assert.equal(new Set(inLog).size, SAID + 3);
    const over = sockets.length === 0 ? 'the same data channels' : 'a WebSocket meanwhile';
    console.log(`all was there ${backMs} ms after the link was back, over ${over}`);
    await page.screenshot({ path: artifact(parts.test, 'chromium.png') });
  },
);
