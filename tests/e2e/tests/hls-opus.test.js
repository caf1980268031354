import assert from 'node:assert/strict';
import test from 'node:test';
import { harness } from '../lib/harness.js';
import { until } from '../lib/wait.js';

const parts = harness('hls-opus', {
  args: ['--demo'],
  hls: true,
  env: { SPILLWAY_HLS_ARGS: '--opus' },
});
const MASTER = '**/hls/demo/index.m3u8*';

const view = (page) =>
  page.evaluate(() => {
    const video = document.querySelector('video');
    const { quality, stats } = window.spillway;
    return {
      names: quality.names,
      faults: stats.faults,
      time: video.currentTime,
      soundBytes: video.webkitAudioDecodedByteCount,
    };
  });

/** Whether picture and sound go on for some seconds. */
async function goesOn(page) {
  const before = await view(page);
  const after = await until('it goes on', async () => {
    const now = await view(page);
    return now.time > before.time + 4 && now;
  });
  // The demo is silent but for its beeps.
  assert.ok(after.soundBytes > before.soundBytes + 4 * 200, 'it is heard');
  assert.equal(after.faults, 0);
}

async function open() {
  const page = await (await parts.chromium.newContext()).newPage();
  const asked = new Set();
  page.on('request', (request) => {
    asked.add(/\/hls\/demo\/(\w+)\/\d+\.\d+\.m4s/.exec(request.url())?.[1]);
  });
  return { page, asked };
}

const play = async (page) => {
  await page.goto(parts.spillway.url('/watch/demo?player=hls'));
  await page.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
};

test('sound in two codecs is one choice of pictures', async () => {
  const { page, asked } = await open();
  await play(page);
  const { names } = await view(page);
  assert.ok(names.length > 1, names.join());
  assert.equal(new Set(names).size, names.length, names.join());
  await goesOn(page);
  assert.ok(asked.has('audio') && !asked.has('opus'), [...asked].join());
});

/** The multivariant playlist as a player sees it that has no decoder for AAC. */
const withoutAac = (text) =>
  text
    .replaceAll(/^#EXT-X-MEDIA:.*GROUP-ID="audio".*\n/gm, '')
    .replaceAll(/^#EXT-X-STREAM-INF:.*mp4a.*\n.*\n/gm, '');

test('a player without AAC plays Opus', async () => {
  const { page, asked } = await open();
  let shown = '';
  await page.route(MASTER, async (route) => {
    const response = await route.fetch();
    shown = withoutAac(await response.text());
    await route.fulfill({ response, body: shown });
  });
  await play(page);
  assert.match(shown, /CODECS="avc1\.\w+,opus"/);
  assert.doesNotMatch(shown, /mp4a/);
  await goesOn(page);
  assert.ok(asked.has('opus') && !asked.has('audio'), [...asked].join());
});
