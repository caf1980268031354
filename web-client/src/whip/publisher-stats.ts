import { layerRank } from './settings.ts';
import {
  byId,
  codecOf,
  Delta,
  entries,
  number,
  readPath,
  string,
  type PathStats,
  type StatsReport,
} from '../shared/stats.ts';

/** What a publisher's connection is doing. Rates and shares are of the time since the report before. */
export interface PublisherStats {
  video: PublisherVideoStats | null;
  audio: { codec: string; bitrate: number } | null;
  path: PathStats | null;
  /** Share of video packets that the node says it lost, 0 to 1. */
  loss: number;
}

export interface PublisherVideoStats {
  codec: string;
  /** Bit/s of all layers together. */
  bitrate: number;
  /** Smallest first. */
  layers: LayerStats[];
  /** What the encoders are given; zeros where the browser doesn't say. */
  source: { width: number; height: number; fps: number };
  /** Packets that were sent again, as a share of all, 0 to 1. */
  resent: number;
  /** What holds the encoder back: `none`, `cpu`, `bandwidth` or `other`. */
  limitation: string;
  nacks: number;
  plis: number;
}

export interface LayerStats {
  rid: string;
  width: number;
  height: number;
  fps: number;
  bitrate: number;
  framesEncoded: number;
  limitation: string;
  encoder: string;
  /** Milliseconds to encode a picture. */
  encodeMs: number;
}

export function readPublisherStats(
  report: StatsReport,
  previous: StatsReport | null,
): PublisherStats {
  const delta = new Delta(report, previous);
  const audio = entries(report, 'outbound-rtp', 'audio')[0];
  return {
    video: readVideo(delta),
    audio:
      audio === undefined
        ? null
        : { codec: codecOf(report, audio), bitrate: delta.rate(audio, 'bytesSent') * 8 },
    path: readPath(report),
    loss: worstLoss(report),
  };
}

function readVideo(delta: Delta): PublisherVideoStats | null {
  const outbound = entries(delta.report, 'outbound-rtp', 'video');
  const [first] = outbound;
  if (first === undefined) return null;
  const layers = outbound
    .map((entry) => readLayer(delta, entry))
    .sort((one, other) => layerRank(one.rid) - layerRank(other.rid));
  const limited = layers.find(({ limitation }) => limitation !== 'none' && limitation !== '');
  const source = entries(delta.report, 'media-source', 'video')[0];
  const packets = outbound.reduce((total, entry) => total + delta.of(entry, 'packetsSent'), 0);
  const again = outbound.reduce(
    (total, entry) => total + delta.of(entry, 'retransmittedPacketsSent'),
    0,
  );
  const sum = (name: string): number =>
    outbound.reduce((total, entry) => total + number(entry, name), 0);
  return {
    codec: codecOf(delta.report, first),
    bitrate: layers.reduce((total, layer) => total + layer.bitrate, 0),
    layers,
    source: {
      width: number(source, 'width'),
      height: number(source, 'height'),
      fps: number(source, 'framesPerSecond'),
    },
    resent: packets > 0 ? again / packets : 0,
    limitation: limited?.limitation ?? 'none',
    nacks: sum('nackCount'),
    plis: sum('pliCount'),
  };
}

function readLayer(delta: Delta, entry: ReturnType<typeof entries>[number]): LayerStats {
  // Of spatial layers in one encoding (SVC) each frame counts: "L3T3_KEY" has three.
  const spatial = Number(/^[LS](\d)/.exec(string(entry, 'scalabilityMode'))?.[1] ?? 1);
  return {
    rid: string(entry, 'rid'),
    width: number(entry, 'frameWidth'),
    height: number(entry, 'frameHeight'),
    fps: delta.rate(entry, 'framesEncoded') / spatial,
    bitrate: delta.rate(entry, 'bytesSent') * 8,
    framesEncoded: number(entry, 'framesEncoded'),
    limitation: string(entry, 'qualityLimitationReason'),
    encoder: string(entry, 'encoderImplementation'),
    encodeMs: delta.average(entry, 'totalEncodeTime', 'framesEncoded') * 1000 * spatial,
  };
}

/** The worst layer counts: each has its own receiver report. */
function worstLoss(report: StatsReport): number {
  const shares = entries(report, 'outbound-rtp', 'video').map((entry) =>
    number(byId(report, string(entry, 'remoteId')), 'fractionLost'),
  );
  return Math.max(0, ...shares);
}
