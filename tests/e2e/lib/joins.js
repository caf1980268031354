import { viewIn } from './viewing.js';
import { quantile, sleep, until } from './wait.js';

/** A shown frame this young is at the live edge: decoding, display and a frame's wait. */
const LIVE_MS = 150;

/**
 * Joins again and again, at random points of the publisher's group of pictures.
 *
 * Gives, in milliseconds from the POST on: the first decoded frame, and the first shown frame from which on all are
 * at the live edge; and how much the sound is ahead of the picture 2 s after joining.
 */
export async function measureJoins({ obs, joins, url, openPage }) {
  const first = [];
  const edge = [];
  const sound = [];
  const page = await openPage();
  for (let join = 0; join < joins; join++) {
    await sleep(Math.random() * 1_500);
    const { postedAt, frames, soundAheadMs } = await joinOnce(page, url);
    sound.push(soundAheadMs);
    first.push(frames[0].at - postedAt);
    edge.push(liveEdge(frames, obs) - postedAt);
  }
  return {
    joins,
    firstFrameMs: spread(first),
    liveEdgeMs: spread(edge),
    soundAheadMs: spread(sound),
  };
}

async function joinOnce(page, url) {
  await viewIn(page, { url });
  const shown = () => page.evaluate(() => window.viewer.frames.length);
  await until('the first frame', async () => (await shown()) > 0, { interval: 20 });
  await sleep(2_000);
  let soundAheadMs = null;
  await until('the browser tells how far sound and picture are apart', async () => {
    soundAheadMs = await page.evaluate(() => window.viewer.soundAheadMs());
    return soundAheadMs !== null;
  });
  const seen = await page.evaluate(() => ({
    postedAt: window.viewer.postedAt,
    frames: window.viewer.frames,
  }));
  await page.evaluate(async () => {
    await window.viewer.close();
    window.viewer.element.remove();
  });
  return { ...seen, soundAheadMs };
}

/** When the frames begin to be live and stay so: the one after the last that wasn't. */
function liveEdge(frames, obs) {
  const dated = frames.filter(({ timecode }) => timecode !== null);
  const late = dated.findLastIndex(({ timecode, unixMs }) => obs.age(timecode, unixMs) > LIVE_MS);
  return dated[late + 1]?.at ?? Infinity;
}

function spread(values) {
  const round = (value) => Math.round(value);
  return {
    min: round(Math.min(...values)),
    median: round(quantile(values, 0.5)),
    p95: round(quantile(values, 0.95)),
    max: round(Math.max(...values)),
    all: values.map(round),
  };
}
