import fs from 'node:fs/promises';
import path from 'node:path';
import { quantile } from './wait.js';

const SCRIPTS = path.join(import.meta.dirname, 'browser');
/** A beep and the picture that is compared with it are shown no further apart. */
const NEAR_MS = 400;
const SECOND_MS = 1_000;

/** Prepares a page to be watched by `browser/playback.js`: before it is opened, in a context that has `bypassCSP`. */
export async function watchPlayback(page) {
  const [reader, script] = await Promise.all(
    ['timecode.js', 'playback.js'].map((name) => fs.readFile(path.join(SCRIPTS, name), 'utf8')),
  );
  const content = `(() => { ${reader.replaceAll('export ', '')}\n${script} })();`;
  await page.addInitScript({ content });
}

/** Begins to watch, and to listen. To be called once it plays. */
export async function beginPlayback(page) {
  await page.evaluate(async () => {
    window.playback.begin();
    await window.playback.listen();
  });
}

/** What was seen and heard so far, in figures. */
export async function playbackFigures(page) {
  const seen = await page.evaluate(() => {
    const { pictures, stands, beeps, troubles, counts } = window.playback;
    return { pictures, stands, beeps, troubles, counts };
  });
  const ages = seen.pictures.map(({ at, timecode }) => at - timecode);
  const skews = skewsOf(seen);
  return {
    read: ages.length,
    p50: round(quantile(ages, 0.5)),
    p95: round(quantile(ages, 0.95)),
    most: round(Math.max(...ages)),
    stands: seen.stands,
    beeps: seen.beeps.length,
    soundLateMs: skews.length > 0 ? round(quantile(skews, 0.5)) : null,
    troubles: seen.troubles,
    ...seen.counts,
  };
}

/**
 * How much later than its picture each beep was heard, in milliseconds; negative: earlier. The demo beeps at each full second, which
 * the timecode of what is shown just then tells.
 */
function skewsOf({ pictures, beeps }) {
  return beeps.flatMap((heard) => {
    const distance = ({ at }) => Math.abs(at - heard);
    const nearest = pictures.reduce((a, b) => (distance(b) < distance(a) ? b : a), pictures[0]);
    if (nearest === undefined || distance(nearest) > NEAR_MS) return [];
    const shown = nearest.timecode + heard - nearest.at;
    return [shown - Math.round(shown / SECOND_MS) * SECOND_MS];
  });
}

const round = (value) => (value === undefined ? null : Math.round(value));
