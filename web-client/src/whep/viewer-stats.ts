import {
  codecOf,
  Delta,
  entries,
  number,
  readPath,
  type PathStats,
  type StatsReport,
} from '../shared/stats.ts';

/** What a viewer's connection is doing. Rates and shares are of the time since the report before. */
export interface ViewerStats {
  video: ViewerVideoStats | null;
  audio: ViewerAudioStats | null;
  path: PathStats | null;
  /** Half a round trip plus jitter buffer plus decoding: a lower bound of the latency, in milliseconds. */
  latencyMs: number | null;
  /** From capture to arrival by the publisher's own clock, in milliseconds; null where it can't be known. */
  endToEndMs: number | null;
}

export interface ViewerVideoStats {
  codec: string;
  width: number;
  height: number;
  fps: number;
  /** Bit/s. */
  bitrate: number;
  framesDecoded: number;
  framesDropped: number;
  keyFramesDecoded: number;
  freezes: number;
  freezeSeconds: number;
  packetsReceived: number;
  packetsLost: number;
  /** Share of packets lost, 0 to 1. */
  loss: number;
  nacks: number;
  plis: number;
  jitterBufferMs: number;
  decodeMs: number;
}

export interface ViewerAudioStats {
  codec: string;
  bitrate: number;
  packetsReceived: number;
  packetsLost: number;
  loss: number;
  jitterBufferMs: number;
  /** Share of the sound that had to be made up for want of packets, 0 to 1. */
  concealed: number;
}

export function readViewerStats(
  report: StatsReport,
  previous: StatsReport | null,
  captureAgeMs: number | null,
): ViewerStats {
  const delta = new Delta(report, previous);
  const video = readVideo(delta);
  const audio = readAudio(delta);
  const path = readPath(report);
  const known = path !== null && video !== null && video.framesDecoded > 0;
  return {
    video,
    audio,
    path,
    latencyMs: known ? path.rttMs / 2 + video.jitterBufferMs + video.decodeMs : null,
    // Without new frames the age is that of the last one, not of the path.
    endToEndMs: known && video.fps > 0 ? captureAgeMs : null,
  };
}

function readVideo(delta: Delta): ViewerVideoStats | null {
  const entry = entries(delta.report, 'inbound-rtp', 'video')[0];
  if (entry === undefined) return null;
  return {
    codec: codecOf(delta.report, entry),
    width: number(entry, 'frameWidth'),
    height: number(entry, 'frameHeight'),
    fps: delta.rate(entry, 'framesDecoded'),
    bitrate: delta.rate(entry, 'bytesReceived') * 8,
    framesDecoded: number(entry, 'framesDecoded'),
    framesDropped: number(entry, 'framesDropped'),
    keyFramesDecoded: number(entry, 'keyFramesDecoded'),
    freezes: number(entry, 'freezeCount'),
    freezeSeconds: number(entry, 'totalFreezesDuration'),
    packetsReceived: number(entry, 'packetsReceived'),
    packetsLost: number(entry, 'packetsLost'),
    loss: lossOf(delta, entry),
    nacks: number(entry, 'nackCount'),
    plis: number(entry, 'pliCount'),
    jitterBufferMs: delta.average(entry, 'jitterBufferDelay', 'jitterBufferEmittedCount') * 1000,
    decodeMs: delta.average(entry, 'totalDecodeTime', 'framesDecoded') * 1000,
  };
}

function readAudio(delta: Delta): ViewerAudioStats | null {
  const entry = entries(delta.report, 'inbound-rtp', 'audio')[0];
  if (entry === undefined) return null;
  return {
    codec: codecOf(delta.report, entry),
    bitrate: delta.rate(entry, 'bytesReceived') * 8,
    packetsReceived: number(entry, 'packetsReceived'),
    packetsLost: number(entry, 'packetsLost'),
    loss: lossOf(delta, entry),
    jitterBufferMs: delta.average(entry, 'jitterBufferDelay', 'jitterBufferEmittedCount') * 1000,
    concealed: Math.min(1, delta.average(entry, 'concealedSamples', 'totalSamplesReceived')),
  };
}

function lossOf(delta: Delta, entry: Parameters<Delta['of']>[0]): number {
  const lost = delta.of(entry, 'packetsLost');
  const expected = lost + delta.of(entry, 'packetsReceived');
  return expected > 0 ? lost / expected : 0;
}
