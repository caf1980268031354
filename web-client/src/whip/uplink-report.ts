import type { Battery, Observation, Reason } from './adaptation.ts';
import type { Content } from './ladder.ts';
import type { LayerStats, PublisherStats, PublisherVideoStats } from './publisher-stats.ts';
import { formatBitrate } from '../shared/format.ts';

/** How the broadcast leaves the streamer's computer. */
export type Health = 'measuring' | 'good' | 'limited' | 'bad';

export interface UplinkReport {
  health: Health;
  /** A sentence or two that a streamer understands. */
  text: string;
}

export interface Situation {
  stats: PublisherStats;
  battery: Battery | null;
  /** Frames a second that were chosen. */
  fps: number;
  content: Content;
  /** What asks for less than was chosen; null while all is sent. */
  reason: Reason | null;
  /** Whether the path has been measured. */
  settled: boolean;
  /** Whether the studio itself lowers and raises what is sent. */
  automatic: boolean;
}

/** Losses above this can't all be repaired in time. */
const BAD_LOSS = 0.1;
/** Below this nothing is missed that isn't repaired. */
const CLEAN_LOSS = 0.02;
/** Repairs come too late for a live picture. */
const SLOW_ANSWER_MS = 500;
/** Below this a picture isn't one. */
const TOO_LITTLE = 150_000;
/** Shares of the wanted size and frame rate above which nobody sees a difference. */
const SAME_SIZE = 0.9;
const SAME_RATE = 0.75;

/** The last second as the adaptation wants it. */
export function observationOf(stats: PublisherStats, battery: Battery | null): Observation {
  const { video, path, loss } = stats;
  const top = topLayer(video);
  return {
    available: path?.availableOutgoing ?? 0,
    sent: video?.bitrate ?? 0,
    loss,
    limitation: video?.limitation ?? 'none',
    fps: top?.fps ?? 0,
    sourceFps: video?.source.fps ?? 0,
    encodeMs: Math.max(0, ...(video?.layers ?? []).map(({ encodeMs }) => encodeMs)),
    battery,
  };
}

/** The largest layer that runs: encoders start and stop the larger ones as the uplink allows. */
export function topLayer(video: PublisherVideoStats | null): LayerStats | undefined {
  return video?.layers.findLast(({ bitrate }) => bitrate > 0);
}

/** What the streamer is told. */
export function reportUplink(situation: Situation): UplinkReport {
  const { stats, settled } = situation;
  const { video, path, loss } = stats;
  const top = topLayer(video);
  if (!settled) return reportStart(situation, video, top);
  if (loss > BAD_LOSS) {
    const share = `${(loss * 100).toFixed(0)} %`;
    const advice = 'A cable, or a place nearer to the router, helps.';
    return {
      health: 'bad',
      text: `Your connection loses ${share} of the packets: the picture may stand still. ${advice}`,
    };
  }
  const available = path?.availableOutgoing ?? 0;
  if (video !== null && (top === undefined || (available > 0 && available < TOO_LITTLE))) {
    const carries = available > 0 ? `carries ${formatBitrate(available)}` : 'is too slow';
    return { health: 'bad', text: `Your connection ${carries}, too little for a steady picture.` };
  }
  if (video === null || top === undefined) return { health: 'good', text: 'Sending sound only.' };
  const limited = limitOf(situation, video, top);
  if (limited !== null) return { health: 'limited', text: limited };
  const { source } = video;
  // A screen on which nothing moves gives few frames, too.
  if (situation.content === 'motion' && source.fps < situation.fps * SAME_RATE) {
    const rates = `${rateOf(source.fps)} instead of ${rateOf(situation.fps)}`;
    const text = `The picture comes at ${rates}: the computer is busy, or the camera lacks light.`;
    return { health: 'limited', text };
  }
  const rtt = path?.rttMs ?? 0;
  if (rtt > SLOW_ANSWER_MS) {
    const text = `Your connection takes ${rtt.toFixed(0)} ms to answer: what is lost comes again late.`;
    return { health: 'limited', text };
  }
  return { health: 'good', text: `Sending ${whatOf(video, top)}.` };
}

/** While the path is being measured: what leaves is known, and once all of it does nothing more is to be waited for. */
function reportStart(
  situation: Situation,
  video: PublisherVideoStats | null,
  top: LayerStats | undefined,
): UplinkReport {
  if (video === null && situation.stats.audio !== null) {
    return { health: 'good', text: 'Sending sound only.' };
  }
  if (video === null || top === undefined) {
    return { health: 'measuring', text: 'Measuring your connection…' };
  }
  const { smaller, slower } = shortfall(situation, video, top);
  const isClean = video.limitation === 'none' && situation.stats.loss < CLEAN_LOSS;
  const what = whatOf(video, top);
  if (isClean && !smaller && !slower) return { health: 'good', text: `Sending ${what}.` };
  return {
    health: 'measuring',
    text: `Sending ${what} so far. What your connection carries is still being measured.`,
  };
}

/** Why less is sent than was chosen, and how much less; null if all is. */
function limitOf(situation: Situation, video: PublisherVideoStats, top: LayerStats): string | null {
  const { source } = video;
  const { smaller, slower } = shortfall(situation, video, top);
  const reason = situation.reason ?? REASONS[video.limitation] ?? null;
  if (reason === null || !(smaller || slower)) return null;
  const cause = causeOf(reason, situation, source);
  const size = smaller ? `${sizeOf(top)} instead of ${sizeOf(source)}` : sizeOf(top);
  const rate = slower ? ` at ${rateOf(top.fps)} instead of ${rateOf(situation.fps)}` : '';
  const advice = situation.automatic ? '' : ' Choose a smaller picture, or let it adapt.';
  const purpose = reason === 'battery' ? ' to spare it' : '';
  return `${cause}: sending ${size}${rate}${purpose}.${advice}`;
}

/** In what the largest layer falls short of what was chosen. */
function shortfall(
  { fps }: Situation,
  { source }: PublisherVideoStats,
  top: LayerStats,
): { smaller: boolean; slower: boolean } {
  return {
    smaller: source.height > 0 && top.height < source.height * SAME_SIZE,
    // What the source gives tells little: browsers take no more of it than they send.
    slower: top.fps < fps * SAME_RATE,
  };
}

const REASONS: Readonly<Record<string, Reason>> = { cpu: 'computer', bandwidth: 'uplink' };

function causeOf(
  reason: Reason,
  { stats, battery, fps }: Situation,
  source: PublisherVideoStats['source'],
): string {
  switch (reason) {
    case 'uplink': {
      const available = stats.path?.availableOutgoing ?? 0;
      if (available === 0) return 'Your connection is too slow';
      return `Your connection carries ${formatBitrate(available)}`;
    }
    case 'computer':
      return `This computer is too slow for ${sizeOf(source)} at ${rateOf(fps)}`;
    case 'battery':
      return `The battery is at ${((battery?.level ?? 0) * 100).toFixed(0)} %`;
  }
}

function whatOf(video: PublisherVideoStats, top: LayerStats): string {
  return `${sizeOf(top)} at ${rateOf(top.fps)}, ${formatBitrate(video.bitrate)}`;
}

function sizeOf({ width, height }: { width: number; height: number }): string {
  return `${width}×${height}`;
}

function rateOf(fps: number): string {
  return `${fps.toFixed(0)} fps`;
}
