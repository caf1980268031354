import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';
import { Spillway } from '../lib/spillway.js';
import { until } from '../lib/wait.js';

const NAME = 'other-node';
const parts = harness(NAME);
/** Nodes that the pages of the harness's node are sent to, and one whose pages may go there. */
let other, knowing;
const publishers = [];

before(async () => {
  other = await Spillway.start({ test: NAME });
  knowing = await Spillway.start({
    test: NAME,
    env: { SPILLWAY_HTTP_OTHER_NODES: new URL(other.url('/')).origin },
  });
  for (const spillway of [parts.spillway, other, knowing]) {
    const token = await spillway.token('publish', 'show');
    const url = spillway.url('/whip/show');
    publishers.push(await ObsPublisher.start({ url, token, gop: 10 }));
  }
});

after(async () => {
  for (const publisher of publishers) await publisher.abandon();
  await knowing?.stop();
  await other?.stop();
});

/** A page of this node that plays, and is then sent to the other one. */
async function sentAway(spillway) {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(spillway.url('/watch/show'));
  await page.waitForSelector('html[data-state="playing"]');
  await page.waitForFunction(() => window.spillway.viewers === 1);
  const body = `event: reconnect\ndata: ${JSON.stringify({ url: other.url('/whep/show') })}\n\n`;
  await page.route(
    '**/events/*',
    (route) => route.fulfill({ contentType: 'text/event-stream', body }),
    { times: 1 },
  );
  // The page looks away and back, and finds the node's word in the place of its events.
  await page.evaluate(() => {
    for (const hidden of [true, false]) {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }
  });
  return page;
}

const framesOf = (page) => page.evaluate(() => window.spillway.stats?.video?.framesDecoded ?? 0);

async function playsOn(page) {
  await page.waitForSelector('html[data-state="playing"]', { timeout: 30_000 });
  const before = await framesOf(page);
  await until('more frames', async () => (await framesOf(page)) > before + 10);
}

test('a viewer that is sent to a node which its page may reach plays from there', async () => {
  const page = await sentAway(knowing);
  await until('it is there', async () => (await viewers(other)) === 1);
  await until('it is gone here', async () => (await viewers(knowing)) === 0);
  await playsOn(page);
  await page.context().close();
});

test('a viewer that is sent where its page may not go stays, and comes back by itself', async () => {
  const { spillway } = parts;
  const before = await viewers(other);
  const page = await sentAway(spillway);
  await playsOn(page);
  assert.equal(await viewers(spillway), 1);
  // Its node ends the session after all.
  const { items } = await (await spillway.api('/api/v1/sessions')).json();
  const { id } = items.find(({ role }) => role === 'viewer');
  await spillway.api(`/api/v1/sessions/${id}`, { method: 'DELETE' });
  await page.waitForSelector('html[data-state="reconnecting"]');
  await playsOn(page);
  assert.equal(await viewers(spillway), 1);
  assert.equal(await viewers(other), before);
  await page.context().close();
});

async function viewers(spillway) {
  const { items } = await (await fetch(spillway.url('/api/v1/live'))).json();
  return items[0].viewers;
}
