import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { until } from '../lib/wait.js';

/** Restricted channels, for players that can't send a token with each request (docs/hls.md). */
const parts = harness('hls-signed', { args: ['--demo'], hls: true });
const PLAYLIST = '/hls/demo/index.m3u8';
let token;

const get = (pathname, options) =>
  fetch(parts.spillway.url(pathname), { redirect: 'manual', ...options });

/** In the page: hls.js becomes a player that sends no header, and knows the token for the first address alone. */
function sendNoHeaders({ playlist, token }) {
  const isHls = (url) => /^\/(signed\/[^/]*\/)?hls\//.test(new URL(url, location.href).pathname);
  const first = (url) => {
    const isFirst = new URL(url, location.href).pathname === playlist;
    return isFirst ? `${url}?token=${encodeURIComponent(token)}` : url;
  };
  const { open, setRequestHeader } = XMLHttpRequest.prototype;
  const withHeaders = new WeakSet();
  window.answeredBy = [];
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    if (!isHls(url)) withHeaders.add(this);
    else this.addEventListener('load', () => window.answeredBy.push(this.responseURL));
    return open.call(this, method, first(url), ...rest);
  };
  XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
    if (withHeaders.has(this)) setRequestHeader.call(this, name, value);
  };
  const { fetch } = window;
  window.fetch = (url, options) =>
    isHls(url) ? fetch(first(url), { ...options, headers: {} }) : fetch(url, options);
}

test('a channel is restricted', async () => {
  await until('the sidecar has the demo', async () => (await get(PLAYLIST)).ok);
  const restricted = await parts.spillway.api('/api/v1/channels/demo', {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ settings: { restricted_viewing: true } }),
  });
  assert.equal(restricted.status, 200);
  token = await parts.spillway.token('view', 'demo');
});

test('Chromium plays a restricted channel with a token for its first request alone', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.addInitScript(sendNoHeaders, { playlist: PLAYLIST, token });
  await page.goto(parts.spillway.url(`/watch/demo?player=hls#token=${token}`));
  const playing = 'html[data-player="hls"][data-state="playing"]';
  await page.waitForSelector(playing, { timeout: 30_000 });
  await page.waitForFunction(() => window.spillway.stats?.video.framesDecoded > 60);
  const { player, answeredBy } = await page.evaluate(() => ({
    player: window.spillway.stats.player,
    answeredBy: window.answeredBy.map((url) => new URL(url).pathname),
  }));
  assert.match(player, /^hls\.js/);
  assert.ok(answeredBy.some((pathname) => pathname.endsWith('.m4s')));
  for (const pathname of answeredBy) assert.match(pathname, /^\/signed\/.*\/hls\/demo\//);
  await page.close();
});

test('the watch page plays a restricted channel with its token', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url(`/watch/demo?player=hls#token=${token}`));
  const playing = 'html[data-player="hls"][data-state="playing"]';
  await page.waitForSelector(playing, { timeout: 30_000 });
  await page.close();
});

test('whoever has the key can check and make signatures as docs/hls.md says', async () => {
  const secret = await fs.readFile(path.join(parts.spillway.dataDir, 'token.key'));
  const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
  const key = hmac(secret, 'spillway signed addresses');
  const sign = (expires, scope) =>
    `${expires}-${hmac(key, `${expires}${scope}`).toString('base64url')}`;
  const moved = await get(`${PLAYLIST}?token=${token}`);
  assert.equal(moved.status, 307);
  const [, , signature, ...rest] = moved.headers.get('location').split('/');
  assert.equal(`/${rest.join('/')}`, PLAYLIST);
  const [expires] = signature.split('-');
  assert.equal(signature, sign(expires, '/hls/demo'));
  const hours = (Number(expires) - Date.now() / 1_000) / 3_600;
  assert.ok(hours > 5.9 && hours < 6.1, `${hours} h`);

  const cached = await get(`/signed/${signature}${PLAYLIST}`);
  assert.equal(cached.status, 200);
  assert.ok(!cached.headers.get('cache-control').includes('private'));
  const past = Math.floor(Date.now() / 1_000) - 1;
  const expired = await get(`/signed/${sign(past, '/hls/demo')}${PLAYLIST}`);
  assert.equal(expired.status, 403);
  assert.match((await expired.json()).detail, /expired/);
  const other = await get(`/signed/${sign(expires, '/hls/other')}${PLAYLIST}`);
  assert.equal(other.status, 403);
  assert.equal((await get(PLAYLIST)).status, 401);
});
