import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';

const parts = harness('watch-page-states');

async function openWatch(channel) {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url(`/watch/${channel}`));
  return page;
}

/** Waits for a state of the page, and keeps how it looks. */
async function reaches(page, state, name, timeout = 15_000) {
  await page.waitForSelector(`html[data-state="${state}"]`, { timeout });
  await page.screenshot({ path: artifact(parts.test, `${name}.png`) });
}

async function publish(channel) {
  const { spillway } = parts;
  return ObsPublisher.start({
    url: spillway.url(`/whip/${channel}`),
    token: await spillway.token('publish', channel),
    gop: 10,
  });
}

test('a page that comes first waits, plays, sees the end, and plays the next broadcast', async () => {
  await parts.spillway.createChannel('show');
  const page = await openWatch('show');
  await reaches(page, 'waiting', '1-waiting');
  const first = await publish('show');
  await reaches(page, 'playing', '2-playing');
  await first.stop();
  await reaches(page, 'ended', '3-ended', 30_000);
  const second = await publish('show');
  await reaches(page, 'playing', '4-playing-again', 30_000);
  await second.stop();
});

test('an unknown channel is an error with its reason', async () => {
  const page = await openWatch('nobody-ever-was-here');
  await reaches(page, 'error', 'error');
  const title = await page.textContent('#notice-title');
  assert.match(title, /no such channel/i);
});

test('a page reconnects when the server comes back', async () => {
  const { spillway } = parts;
  let publisher = await publish('phoenix');
  const page = await openWatch('phoenix');
  await reaches(page, 'playing', 'phoenix-1-playing');
  await spillway.killServer();
  await reaches(page, 'reconnecting', 'phoenix-2-reconnecting', 30_000);
  await publisher.abandon();
  await spillway.restart();
  publisher = await publish('phoenix');
  await reaches(page, 'playing', 'phoenix-3-playing', 60_000);
  await publisher.stop();
});
