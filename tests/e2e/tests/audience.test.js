import assert from 'node:assert/strict';
import test from 'node:test';
import { Chatter } from '../lib/chat.js';
import { harness } from '../lib/harness.js';
import { sleep, until } from '../lib/wait.js';

const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1';
const TV =
  'Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0.4606.31/7.0 TV Safari/537.36';
/** Figures are written every 10 s. */
const WRITTEN_MS = 12_000;

const parts = harness('audience', {
  args: ['--demo'],
  config: `
[http]
trusted_proxies = ["127.0.0.1/32"]
[audience]
country_header = "CF-IPCountry"
`,
});

/** The broadcast of the channel that is on air. */
const onAir = (channel = 'demo') =>
  until(`a broadcast of ${channel}`, async () => {
    const response = await parts.spillway.api(`/api/v1/broadcasts?channel=${channel}`);
    return (await response.json()).items?.find(({ ended_at: ended }) => ended === null);
  });

async function audience(broadcast, query = '') {
  const response = await parts.spillway.api(`/api/v1/broadcasts/${broadcast}/audience${query}`);
  assert.equal(response.status, 200);
  return response.json();
}

async function beacon(report, { headers = {}, type = 'text/plain;charset=UTF-8' } = {}) {
  const response = await fetch(parts.spillway.url('/api/v1/channels/demo/reports'), {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body: JSON.stringify(report),
  });
  return response.status;
}

const nothing = { count: 0, p50: null, p95: null, p99: null };
/** A delay that is the upper bound of its class is told exactly. */
const only = (value) => ({ count: 1, p50: value, p95: value, p99: value });
const phoneInFrance = { 'user-agent': PHONE, 'cf-ipcountry': 'FR' };

/** What the reports of the first test make, whatever the minutes they fell into. */
const byWhatTheyAre = {
  players: [
    {
      name: 'webrtc',
      watched_s: 2,
      stalled_s: 0.5,
      stalls: 1,
      joins: 1,
      latency_ms: only(180),
      startup_ms: only(330),
    },
    {
      name: 'hls',
      watched_s: 9,
      stalled_s: 0,
      stalls: 0,
      joins: 0,
      latency_ms: only(4_500),
      startup_ms: nothing,
    },
  ],
  heights: [
    { height: 480, watched_s: 9 },
    { height: 720, watched_s: 2 },
  ],
};

function holdsTheFirstReports(told) {
  assert.deepEqual(told.players, byWhatTheyAre.players);
  assert.deepEqual(told.heights, byWhatTheyAre.heights);
  const named = (items) => items.map(({ name, watched_s: watched }) => [name, watched]);
  assert.deepEqual(named(told.devices), [
    ['mobile', 9],
    ['tv', 2],
  ]);
  assert.deepEqual(named(told.countries), [
    ['FR', 9],
    ['DE', 2],
  ]);
  const { watched_s: watched, stalled_s: stalled, stalls, joins } = told.total;
  assert.deepEqual([watched, stalled, stalls, joins], [11, 0.5, 1, 1]);
  assert.equal(told.total.sessions_most, 0, 'nobody watches over WHEP');
  assert.equal(told.total.latency_ms.count, 2);
  const sum = (member) => told.points.reduce((all, point) => all + point[member], 0);
  assert.deepEqual([sum('watched_s'), sum('stalled_s'), sum('joins')], [11, 0.5, 1]);
}

test('what players report is counted once, told at once, and there after a restart', async () => {
  const { spillway } = parts;
  const broadcast = await onAir();
  const headers = { 'user-agent': TV, 'cf-ipcountry': 'DE' };
  const chatter = await Chatter.join(spillway, 'demo', {}, headers);
  await chatter.next('welcome');
  await sleep(2_000);
  const report = {
    type: 'report',
    player: 'webrtc',
    played_ms: 2_000,
    stalled_ms: 500,
    stalls: 1,
    latency_ms: 180,
    height: 720,
    startup_ms: 330,
  };
  chatter.send(report);
  // So soon no player reports again.
  chatter.send({ ...report, played_ms: 1_000 });
  await until('it is dropped', async () => {
    return (await spillway.metric('spillway_audience_dropped_total')) === 1;
  });
  const small = { player: 'hls', played_ms: 9_000, latency_ms: 4_500, height: 480 };
  assert.equal(await beacon(small, { headers: phoneInFrance }), 204);
  assert.equal(await spillway.metric('spillway_audience_reports_total'), 2);
  const live = await audience(broadcast.id);
  holdsTheFirstReports(live);
  assert.deepEqual(
    [live.broadcast, live.channel, live.started_at, live.ended_at, live.step],
    [broadcast.id, 'demo', broadcast.started_at, null, 1],
  );
  chatter.close();

  await spillway.stopServer();
  await spillway.restart();
  const later = await audience(broadcast.id);
  holdsTheFirstReports(later);
  assert.ok(later.ended_at >= later.started_at);
  assert.deepEqual(later.points, live.points);
  const next = await onAir();
  assert.notEqual(next.id, broadcast.id);
  assert.deepEqual((await audience(next.id)).points, []);
});

test('a crash loses no more than what was not written for 10 s', async () => {
  const { spillway } = parts;
  const { id } = await onAir();
  for (let n = 1; n <= 3; n++) {
    assert.equal(await beacon({ player: 'hls', played_ms: 1_000 * n }), 204);
  }
  await sleep(WRITTEN_MS);
  await spillway.killServer();
  await spillway.restart();
  const told = await audience(id);
  assert.equal(told.total.watched_s, 6);
  assert.deepEqual(
    told.countries.map(({ name }) => name),
    ['unknown'],
  );
});

test('the beacon and the figures are for those who may, and for what is sound', async () => {
  const { spillway } = parts;
  const { id } = await onAir();
  assert.equal(await beacon({ player: 'vhs', played_ms: 1 }), 400);
  assert.equal(await beacon({ player: 'hls', played_ms: 1, more: 'x'.repeat(4096) }), 413);
  assert.equal(await beacon({ player: 'hls', played_ms: 1 }, { type: 'image/png' }), 415);
  await spillway.createChannel('silent');
  const offAir = await fetch(spillway.url('/api/v1/channels/silent/reports'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'report', player: 'hls', played_ms: 1_000 }),
  });
  assert.equal(offAir.status, 204);
  const status = async (token, query = '') => {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const url = spillway.url(`/api/v1/broadcasts/${id}/audience${query}`);
    return (await fetch(url, { headers })).status;
  };
  const publish = await spillway.token('publish', 'demo');
  assert.equal(await status(), 401);
  assert.equal(await status(publish), 200);
  assert.equal(await status(publish, '?step=0'), 400);
  assert.equal(await status(await spillway.token('publish', 'silent')), 403);
  assert.equal(await status(await spillway.token('view', 'demo')), 403);
});

test('a viewer in Chromium is in the figures', async () => {
  const { id } = await onAir();
  const before = (await audience(id)).total.watched_s;
  const page = await (await parts.chromium.newContext()).newPage();
  const began = Date.now();
  await page.goto(parts.spillway.url('/watch/demo'));
  const told = await until(
    'its report',
    async () => {
      const told = await audience(id);
      return told.total.watched_s > before + 5 && told;
    },
    { timeout: 40_000, interval: 500 },
  );
  const passed = (Date.now() - began) / 1000;
  assert.ok(told.total.watched_s - before <= passed + 1, `${told.total.watched_s} of ${passed} s`);
  assert.ok(told.total.sessions_most >= 1);
  const webrtc = told.players.find(({ name }) => name === 'webrtc');
  assert.ok(webrtc.latency_ms.count >= 1 && webrtc.latency_ms.p50 < 2_000, JSON.stringify(webrtc));
  assert.ok(told.devices.some(({ name, watched_s: s }) => name === 'desktop' && s > 5));
  assert.ok(
    told.heights.some(({ height, watched_s: s }) => height === 720 && s > 5),
    JSON.stringify(told.heights),
  );
  await page.context().close();
});
