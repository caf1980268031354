import type { VideoLayer } from '../whep/layers.ts';

/** What is played, and where. */
export interface Source {
  video: HTMLVideoElement;
  /** The multivariant playlist. */
  url: string;
  token: string;
  /** For a recording: where it begins to play, in seconds. What has none is live. */
  startAt?: number;
}

export interface EngineEvents {
  /** These sizes of the picture can be chosen, by their rids. */
  onLayers: (layers: VideoLayer[]) => void;
  /** The broadcast is over, and all of it was shown that there was. */
  onEnded: () => void;
  /** It can't go on; another engine may. */
  onFailed: () => void;
}

/** What plays a playlist in a video element: hls.js, or the browser itself. Made playing, and destroyed in the end. */
export interface Engine {
  readonly name: string;
  /** Plays that size; null: what the path carries. */
  choose: (rid: string | null) => void;
  /** When what is shown now was on air, by the programme's own clock, in Unix milliseconds; null before that is known. */
  programTimeMs: () => number | null;
  /** How long ago what is shown now was on air, in milliseconds; null before that is known. */
  latencyMs: () => number | null;
  /** Bit/s: of what is played, and of what the path is believed to carry; 0 if unknown. */
  bitrate: () => number;
  bandwidth: () => number;
  /** How often it would have gone on no more, and was mended or given up. */
  faults: () => number;
  destroy: () => void;
}

/** A clock that is off by more than this says nothing of latencies. */
const MAX_LATENCY_MS = 60_000;

/** A latency by two clocks, unless they can't agree. */
export function plausible(latencyMs: number): number | null {
  return latencyMs >= 0 && latencyMs <= MAX_LATENCY_MS ? latencyMs : null;
}
