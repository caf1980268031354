import assert from 'node:assert/strict';
import test from 'node:test';
import { Chatter } from '../lib/chat.js';
import { harness } from '../lib/harness.js';

const parts = harness('chat-channel-closed', { args: ['--demo'] });

test('who closes the data channel has left, and comes back by WebSocket', async () => {
  const { spillway } = parts;
  const bot = await Chatter.join(spillway, 'demo', { name: 'Counter' });
  await bot.next('presence', { chatters: 1 });
  const page = await (await parts.chromium.newContext()).newPage();
  await page.addInitScript(() => {
    const create = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (label, options) {
      const channel = create.call(this, label, options);
      if (label === 'chat') window.chatChannel = channel;
      return channel;
    };
  });
  let tries = 0;
  let isOff = true;
  await page.routeWebSocket(/\/chat$/, (socket) => {
    tries += 1;
    if (isOff) void socket.close();
    else socket.connectToServer();
  });
  await page.goto(spillway.url('/watch/demo'));
  const over = (way) =>
    page.waitForFunction((way) => window.spillway.chat?.state.over === way, way);
  await over('data-channels');
  await bot.next('presence', { chatters: 2 });
  const before = bot.received.length;
  const next = (chatters) =>
    bot.until(`${chatters} chatters`, () =>
      bot.received
        .slice(before)
        .some((object) => object.type === 'presence' && object.chatters === chatters),
    );
  await page.evaluate(() => window.chatChannel.close());
  await next(1);
  bot.write('w1', 'are you still there?');
  assert.ok(tries <= 5, `it was tried ${tries} times`);
  isOff = false;
  await over('web-socket');
  await next(2);
  await page.waitForFunction(() =>
    document.querySelector('#chat').innerText.includes('are you still there?'),
  );
  bot.close();
  await page.context().close();
});
