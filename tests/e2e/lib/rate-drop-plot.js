import { gaps } from './gaps.js';
import { plot, steps } from './plot.js';

/** What leaves is averaged over this. */
const WINDOW_MS = 500;
const MAX_MBIT = 6;
/** Shorter gaps between pictures aren't worth a bar. */
const LEAST_GAP_MS = 100;
const MAX_GAP_MS = 1_200;
const RATES = { wide: 5, narrow: 0.8 };
const LAYERS = { 320: 1, 640: 2, 1280: 3 };

/** The plot of what `rateDrop` recorded. */
export function plotRateDrop({ times, samples, frames }) {
  const { began, dropped, recovered, ended } = times;
  const second = (at) => (at - began) / 1000;
  const seconds = second(ended);
  const shown = frames.filter(({ unixMs }) => unixMs >= began && unixMs <= ended);
  const link = [
    [0, RATES.wide],
    [second(dropped), RATES.narrow],
    [second(recovered), RATES.wide],
  ];
  const estimates = samples.map(({ at, viewers }) => [
    second(at),
    (viewers[0]?.estimate ?? 0) / 1e6,
  ]);
  const stood = gaps(frames, began, ended).filter(({ ms }) => ms >= LEAST_GAP_MS);
  return plot({
    title: 'One viewer in Chromium; the link falls from 5 Mbit/s to 0.8 and recovers',
    seconds,
    panels: [
      {
        label: 'Mbit/s',
        max: MAX_MBIT,
        height: 250,
        ticks: [0, 1, 2, 3, 4, 5, 6].map((at) => ({ at, text: String(at) })),
        series: [
          { name: 'link', colour: '#555', points: steps(link, seconds), dashed: true },
          { name: 'estimate', colour: '#1f6feb', points: estimates },
          { name: 'sent', colour: '#d4570c', points: sentRate(samples, second) },
        ],
      },
      {
        label: 'layer shown',
        max: 3.4,
        height: 90,
        ticks: [
          { at: 1, text: '180p' },
          { at: 2, text: '360p' },
          { at: 3, text: '720p' },
        ],
        series: [
          { name: 'layer', colour: '#1a7f37', points: steps(layers(shown, second), seconds) },
        ],
      },
      {
        label: 'freeze (ms)',
        max: MAX_GAP_MS,
        height: 110,
        ticks: [0, 300, 600, 900, 1_200].map((at) => ({ at, text: String(at) })),
        series: [
          {
            name: 'time between two pictures, from 100 ms on',
            colour: '#a40e26',
            bars: true,
            points: stood.map(({ at, ms }) => [second(at), ms]),
          },
        ],
      },
    ],
  });
}

/** Mbit/s through the link, headers included. */
function sentRate(samples, second) {
  return samples.flatMap((sample, i) => {
    const first = samples.findLast(({ at }, j) => j < i && sample.at - at >= WINDOW_MS);
    if (!first) return [];
    const bits = (sample.sentBytes - first.sentBytes) * 8;
    return [[second(sample.at), bits / (sample.at - first.at) / 1000]];
  });
}

function layers(frames, second) {
  return frames
    .filter(({ width }, i) => width !== frames[i - 1]?.width)
    .map(({ unixMs, width }) => [second(unixMs), LAYERS[width] ?? 0]);
}
