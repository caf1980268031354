import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { artifact, report } from '../lib/artifacts.js';
import { shareOfWidth } from '../lib/gaps.js';
import { linkHarness, skip } from '../lib/link-harness.js';
import { CHANNEL, framesOf, openViewer, publishLayers, videoBytes } from '../lib/rate-drop.js';
import { Recording } from '../lib/recording.js';
import { sleep } from '../lib/wait.js';

const SECONDS = Number(process.env.SHARE_SECONDS ?? 60);
const CONDITIONS = ['--rate', '3mbit', '--queue', '300ms', '--delay', '20ms', '--seed', '1'];
const SETTLE_MS = 20_000;
/** What both viewers can have at a time. */
const FITS_BOTH = 640;
const parts = linkHarness('fair-share', CONDITIONS);

test('two viewers behind one link of 3 Mbit/s share it', { skip }, async () => {
  const { spillway, link } = parts.setup;
  const obs = await publishLayers(spillway);
  try {
    const pages = [];
    for (let i = 0; i < 2; i++) pages.push(await openViewer(parts.setup));
    await sleep(SETTLE_MS);
    const recording = Recording.start({ spillway, link, channel: CHANNEL });
    const began = Date.now();
    const before = await Promise.all(pages.map(videoBytes));
    await sleep(SECONDS * 1_000);
    const after = await Promise.all(pages.map(videoBytes));
    const frames = await Promise.all(pages.map(framesOf));
    const samples = await recording.stop();
    fs.writeFileSync(
      artifact(parts.test, 'samples.json'),
      JSON.stringify({ began, samples, frames }),
    );
    const bytes = after.map((count, i) => count - before[i]);
    const figures = {
      jain: jain(bytes),
      mbits: bytes.map((count) => (count * 8) / SECONDS / 1e6),
      onTheFittingLayer: frames.map((one) => shareOfWidth(one, FITS_BOTH, began, Date.now())),
    };
    report(parts.test, figures);
    assert.ok(figures.jain >= 0.9, `Jain's index ${figures.jain}`);
  } finally {
    await obs.stop();
  }
});

/** 1 when all have the same, 1/n when one has all. */
function jain(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  const squares = values.reduce((a, b) => a + b * b, 0);
  return (sum * sum) / (values.length * squares);
}
