import { byId, fillList } from '../shared/dom.ts';
import { formatBitrate, formatMs, formatShare } from '../shared/format.ts';
import type { ViewerStats } from '../whep/viewer-stats.ts';

type Row = readonly [string, string];

/** Fills the statistics overlay. */
export function showStats(stats: ViewerStats): void {
  fillList(byId('stats-list', HTMLDListElement), [
    ['Latency (estimate)', formatMs(stats.latencyMs)],
    ...when(stats.endToEndMs, (age): Row => ['Since capture', formatMs(age)]),
    ...when(stats.video, videoRows).flat(),
    ...when(stats.audio, audioRows).flat(),
    ...when(stats.path, pathRows).flat(),
  ]);
}

function videoRows(video: NonNullable<ViewerStats['video']>): Row[] {
  return [
    ['Picture', video.height > 0 ? `${video.width}×${video.height}` : '–'],
    ['Frame rate', `${video.fps.toFixed(0)} fps`],
    ['Video', [video.codec, formatBitrate(video.bitrate)].filter(Boolean).join(', ')],
    ['Video loss', `${formatShare(video.loss)} (${video.packetsLost} packets)`],
    ['Freezes', `${video.freezes} (${video.freezeSeconds.toFixed(1)} s)`],
    ['Jitter buffer', formatMs(video.jitterBufferMs)],
    ['Frames', `${video.framesDecoded} decoded, ${video.framesDropped} dropped`],
  ];
}

function audioRows(audio: NonNullable<ViewerStats['audio']>): Row[] {
  return [
    ['Sound', [audio.codec, formatBitrate(audio.bitrate)].filter(Boolean).join(', ')],
    ['Sound loss', formatShare(audio.loss)],
  ];
}

function pathRows(path: NonNullable<ViewerStats['path']>): Row[] {
  const relayed = path.localType === 'relay' || path.remoteType === 'relay' ? ', relayed' : '';
  return [
    ['Round trip', formatMs(path.rttMs)],
    ['Transport', `${path.protocol.toUpperCase()}${relayed}`],
    ['Cipher', path.srtpCipher || '–'],
  ];
}

function when<Value, Result>(value: Value | null, make: (value: Value) => Result): Result[] {
  return value === null ? [] : [make(value)];
}
