import { muxedSoundLateMs } from './muxed-sync.js';
import { PartsWatch } from './hls-playlists.js';
import { beginPlayback, playbackFigures, watchPlayback } from './playback.js';
import { sleep, until } from './wait.js';

/** How soon the picture shall move once the page is asked for. */
const START_MS = 15_000;
/** How soon another size is seen that was picked: what is buffered of the one before is thrown away. */
const SWITCH_MS = 15_000;
/** A page that has just begun to play is still looking for its place. */
const SETTLE_MS = 3_000;
/** The demo's own picture, and a rendition that is made while somebody watches it. */
const BEST = '720p';
const SMALL = '360p';
const CHANNEL = 'demo';

/**
 * Watches the demo as LL-HLS with hls.js on the watch page for so long, goes to a smaller rendition and back `switches` times, and
 * reads the playlists beside it. Gives figures; what must hold is for the caller to say.
 *
 * @param {{ spillway: object, chromium: object }} parts
 */
export async function watchDemo({ spillway, chromium }, { seconds, switches }) {
  const page = await (await chromium.newContext({ bypassCSP: true })).newPage();
  const refused = [];
  page.on('response', (response) => {
    if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`);
  });
  await watchPlayback(page);
  const asked = Date.now();
  await page.goto(spillway.url(`/watch/${CHANNEL}?player=hls`));
  await page.waitForSelector('html[data-state="playing"]', { timeout: START_MS });
  const startMs = Date.now() - asked;
  // Before the sidecar has the channel, 503 is the answer (docs/sidecar.md).
  refused.length = 0;
  await pick(page, BEST);
  await sleep(SETTLE_MS);
  await beginPlayback(page);
  const playlist = (rendition) => spillway.url(`/hls/${CHANNEL}/${rendition}/index.m3u8`);
  const watched = new Set(['source', 'audio']);
  const parts = new PartsWatch(() => [...watched].map(playlist));
  const stepMs = (seconds * 1_000) / (2 * switches + 1);
  const began = Date.now();
  const wait = (step) => sleep(Math.max(0, began + step * stepMs - Date.now()));
  const switchesMs = [];
  for (let i = 0; i < switches; i++) {
    await wait(2 * i + 1);
    watched.add(SMALL);
    switchesMs.push(await switchTo(page, SMALL));
    await wait(2 * i + 2);
    switchesMs.push(await switchTo(page, BEST));
    // Who looks at it keeps it going.
    watched.delete(SMALL);
  }
  await wait(2 * switches + 1);
  const muxedSoundLate = await muxedSoundLateMs(playlist('source'), playlist('audio'));
  await parts.stop();
  const figures = await playbackFigures(page);
  const { faults } = await page.evaluate(() => window.spillway.stats);
  await page.context().close();
  return {
    startMs,
    ...figures,
    switchesMs,
    faults,
    refused,
    muxedSoundLate,
    parts: { count: parts.count, wrong: [...parts.wrong], troubles: parts.troubles },
  };
}

async function pick(page, name) {
  await page.mouse.move(300, 300 + Math.random() * 50);
  await page.click('#quality-button');
  await page.click(`.menu-item:has-text("${name}")`);
}

/** Gives how long it took until it was seen, in milliseconds. */
async function switchTo(page, name) {
  const asked = Date.now();
  await pick(page, name);
  const lines = () => page.evaluate(() => document.querySelector('video').videoHeight);
  const wanted = Number.parseInt(name, 10);
  await until(`${name} is shown`, async () => (await lines()) === wanted, { timeout: SWITCH_MS });
  return Date.now() - asked;
}
