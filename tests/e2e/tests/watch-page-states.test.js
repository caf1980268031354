import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { ObsPublisher } from '../lib/obs.js';

const parts = harness('watch-page-states', { env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '3s' } });

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
  await reaches(page, 'interrupted', '3-interrupted');
  await reaches(page, 'ended', '4-ended', 30_000);
  const second = await publish('show');
  await reaches(page, 'playing', '5-playing-again', 30_000);
  await second.stop();
});

/** Notes in the page when events come and when its state changes, by the page's own clock. */
async function keepDiary(page) {
  await page.addInitScript(() => {
    window.diary = [];
    const note = (what) => window.diary.push([performance.now(), what]);
    window.EventSource = class extends EventSource {
      constructor(url) {
        super(url);
        for (const name of ['active', 'inactive']) {
          this.addEventListener(name, ({ data }) => note(`${name} ${data}`));
        }
      }
    };
    new MutationObserver(() => note(document.documentElement.dataset.state)).observe(document, {
      attributeFilter: ['data-state'],
      subtree: true,
    });
  });
}

/** Milliseconds from an event to the state that it leads to. */
function passed(diary, event, state) {
  const told = diary.findLastIndex(([, what]) => what === event);
  const shown = diary.slice(told).find(([, what]) => what === state);
  assert.ok(told >= 0 && shown, `${event}, then ${state}: ${JSON.stringify(diary)}`);
  return shown[0] - diary[told][0];
}

test('an interruption is told at once, and the picture comes back without a click', async () => {
  const first = await publish('pause');
  const page = await (await parts.chromium.newContext()).newPage();
  await keepDiary(page);
  await page.goto(parts.spillway.url('/watch/pause'));
  await reaches(page, 'playing', 'pause-1-playing');
  await first.stop();
  await reaches(page, 'interrupted', 'pause-2-interrupted');
  assert.match(await page.textContent('#notice-title'), /interrupted/);
  assert.equal(await page.isVisible('#badge'), false, 'it is not live');
  await page.waitForTimeout(600); // Two readings of the statistics.
  assert.equal(await page.textContent('#latency'), '');
  const second = await publish('pause');
  await reaches(page, 'playing', 'pause-3-playing');
  await second.stop();
  await reaches(page, 'ended', 'pause-4-ended');
  const diary = await page.evaluate(() => window.diary);
  const interruptedAfter = passed(diary, 'inactive {"ended":false}', 'interrupted');
  const endedAfter = passed(diary, 'inactive {"ended":true}', 'ended');
  console.log(
    `told ${interruptedAfter.toFixed(1)} and ${endedAfter.toFixed(1)} ms after the event`,
  );
  assert.ok(interruptedAfter < 300 && endedAfter < 300);
  const states = diary.map(([, what]) => what).filter((what) => !what.includes('{'));
  assert.deepEqual(states.slice(states.indexOf('playing')), [
    ...['playing', 'interrupted', 'waiting', 'playing'],
    ...['interrupted', 'ended'],
  ]);
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
