import {
  fullStep,
  HEIGHTS,
  rateShare,
  simulcastBitrate,
  simulcastHeight,
  suggestedBitrate,
  type Layering,
  type Step,
  type VideoSettings,
} from './settings.ts';

/** What matters in the picture: that it moves, or that every letter can be read. */
export type Content = 'motion' | 'detail';

/** Frame rates that a screen goes down to: text stays sharp. */
const DETAIL_RATES = [30, 15, 8, 5] as const;
/** The last frame rate of a moving picture. */
const SLOWEST_MOTION = 15;

/**
 * What can be sent instead of what was chosen, best first: the first is the streamer's choice, and each takes less uplink
 * and less work than the one before. A moving picture becomes smaller, a screen slower; of simulcast the largest layers
 * are left out.
 */
export function ladder(
  settings: VideoSettings,
  layering: Layering,
  content: Content,
): readonly Step[] {
  const full = fullStep(settings, layering);
  const steps = [full];
  const add = (step: Step): void => {
    steps.push(step);
  };
  if (layering === 'simulcast') {
    const fps = Math.min(full.fps, 30);
    if (full.fps > fps) add({ ...full, fps, bitrate: full.bitrate * slower(settings, fps) });
    for (let layers = full.layers - 1; layers > 0; layers--) {
      const bitrate = simulcastBitrate(settings, layers) * slower(settings, fps);
      add({ height: simulcastHeight(settings, layers), fps, bitrate, layers });
    }
    return steps;
  }
  if (content === 'detail') {
    for (const fps of DETAIL_RATES.filter((rate) => rate < full.fps)) {
      add({ ...full, fps, bitrate: full.bitrate * slower(settings, fps) });
    }
    return steps;
  }
  const fps = Math.min(full.fps, 30);
  const share = settings.bitrate / suggestedBitrate(settings.height, settings.fps);
  const at = (height: (typeof HEIGHTS)[number], rate: number): Step => ({
    ...full,
    height,
    fps: rate,
    bitrate: suggestedBitrate(height, rate) * share,
  });
  if (full.fps > fps) add(at(settings.height, fps));
  for (const height of HEIGHTS.filter((lines) => lines < settings.height)) add(at(height, fps));
  if (fps > SLOWEST_MOTION) add(at(HEIGHTS[HEIGHTS.length - 1] ?? settings.height, SLOWEST_MOTION));
  return steps;
}

function slower(settings: VideoSettings, fps: number): number {
  return rateShare(fps) / rateShare(settings.fps);
}
