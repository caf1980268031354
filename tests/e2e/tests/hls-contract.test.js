import assert from 'node:assert/strict';
import os from 'node:os';
import test, { after } from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { StandInSidecar } from '../lib/stand-in-sidecar.js';
import { until } from '../lib/wait.js';

/** What the node and a sidecar owe each other (docs/sidecar.md), with a stand-in for the sidecar. */
const parts = harness('hls-contract', { args: ['--demo'] });
const PLAYLIST = '/hls/demo/index.m3u8';
let sidecar;

after(() => sidecar?.stop());

const get = (path, options) => fetch(parts.spillway.url(path), { redirect: 'manual', ...options });

/** The first event of the broadcasts' event stream whose data fits. */
async function told(name, fits) {
  const headers = { authorization: `Bearer ${await parts.spillway.token('service')}` };
  const abort = new AbortController();
  const response = await get('/api/v1/events', { headers, signal: abort.signal });
  assert.equal(response.status, 200);
  let text = '';
  try {
    for await (const bytes of response.body) {
      text += Buffer.from(bytes).toString();
      for (const event of text.split('\n\n').slice(0, -1)) {
        const data = event.match(/^data: ?(.*)$/m)?.[1];
        if (event.includes(`event: ${name}`) && fits(JSON.parse(data))) return JSON.parse(data);
      }
    }
  } finally {
    abort.abort();
  }
  throw new Error(`the event stream ended: ${text}`);
}

test('sidecars are told what is on air, viewers are not', async () => {
  const { test: name, spillway } = parts;
  sidecar = await StandInSidecar.start({ test: name, spillway, channel: 'demo' });
  const isDemo = ({ channel }) => channel === 'demo';
  const unheardOf = await get(PLAYLIST);
  assert.deepEqual([unheardOf.status, unheardOf.headers.get('retry-after')], [404, null]);
  await sidecar.announce();
  await until('the demo is live', async () => (await get(PLAYLIST)).status === 503);
  const { channels } = await told('snapshot', () => true);
  const demo = channels.find(isDemo);
  assert.match(demo.broadcast, /^[0-9a-f]{32}$/);
  assert.ok(Math.abs(Date.now() - Date.parse(demo.started_at)) < 60_000, demo.started_at);
  assert.equal((await get('/api/v1/events')).status, 401);
});

test('a live channel waits for its sidecar, and an idle one for its streamer', async () => {
  const awaited = await get(PLAYLIST);
  assert.equal(awaited.status, 503);
  assert.equal(awaited.headers.get('retry-after'), '1');
  assert.equal((await get('/hls/unheard-of/index.m3u8')).headers.get('retry-after'), null);
  await parts.spillway.createChannel('idle');
  const idle = await get('/hls/idle/index.m3u8');
  assert.deepEqual([idle.status, idle.headers.get('retry-after')], [404, '5']);
});

test('the watch page waits, plays what the sidecar serves, and sees the end', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url('/watch/demo?player=hls'));
  await page.waitForSelector('html[data-state="waiting"]');
  await sidecar.register();
  await page.waitForSelector('html[data-state="playing"]', { timeout: 30_000 });
  const latency = await until('the latency is shown', () => page.textContent('#latency'));
  assert.match(latency, /^\d+\.\d s behind live$/);
  await page.waitForFunction(() => window.spillway.stats?.video.framesDecoded > 60);
  const { video, player } = await page.evaluate(() => window.spillway.stats);
  assert.deepEqual([video.width, video.height], [640, 360]);
  assert.match(player, /^hls\.js/);
  assert.equal(await page.getAttribute('#players [data-player=hls]', 'aria-current'), 'true');
  await page.mouse.move(300, 300);
  await page.screenshot({ path: artifact(parts.test, 'stand-in.png') });

  await sidecar.endBroadcast();
  await page.waitForSelector('html[data-state="ended"]', { timeout: 30_000 });
  await page.close();
});

test('what says who asks does not reach the sidecar', async () => {
  const before = sidecar.requests.length;
  const token = await parts.spillway.token('view', 'demo');
  const headers = { authorization: `Bearer ${token}`, cookie: 'a=b', range: 'bytes=0-3' };
  const response = await get(`${PLAYLIST}?_HLS_msn=1&token=${token}`, { headers });
  assert.equal(response.status, 200);
  const asked = sidecar.requests.slice(before).find(({ headers }) => headers.range);
  assert.equal(asked.url, `${PLAYLIST}?_HLS_msn=1`);
  assert.deepEqual([asked.headers.authorization, asked.headers.cookie], [undefined, undefined]);
});

test('viewers are sent to a sidecar on another machine', async () => {
  await sidecar.stop();
  const outward = Object.values(os.networkInterfaces()).flat();
  const host = outward.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  assert.ok(host, 'this machine has no address but those of loopback');
  const { test: name, spillway } = parts;
  sidecar = await StandInSidecar.start({ test: name, spillway, channel: 'demo', host });
  await sidecar.register();
  const moved = await get(`${PLAYLIST}?_HLS_msn=1`);
  assert.equal(moved.status, 307);
  assert.equal(moved.headers.get('location'), `${sidecar.url}${PLAYLIST}?_HLS_msn=1`);
  const there = async () => (await get(PLAYLIST, { redirect: 'follow' })).ok;
  await until('the playlist is there', there);
  const { status } = await parts.spillway.api('/api/v1/sidecars');
  assert.equal(status, 200);
});
