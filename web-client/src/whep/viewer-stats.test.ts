import { describe, expect, it } from 'vitest';
import { readViewerStats } from './viewer-stats.ts';

function report(seconds: number, framesDecoded: number, lost: number): Map<string, unknown> {
  const timestamp = seconds * 1000;
  const all = [
    {
      id: 'v',
      type: 'inbound-rtp',
      kind: 'video',
      codecId: 'c',
      frameWidth: 1280,
      frameHeight: 720,
      framesDecoded,
      bytesReceived: framesDecoded * 1000,
      packetsReceived: framesDecoded * 3 - lost,
      packetsLost: lost,
      jitterBufferDelay: framesDecoded * 0.02,
      jitterBufferEmittedCount: framesDecoded,
      totalDecodeTime: framesDecoded * 0.004,
    },
    { id: 'c', type: 'codec', mimeType: 'video/H264' },
    { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
    { id: 'p', type: 'candidate-pair', currentRoundTripTime: 0.03 },
  ];
  return new Map(all.map((entry) => [entry.id, { timestamp, ...entry }]));
}

describe('readViewerStats', () => {
  it('tells what happened since the report before', () => {
    const { video } = readViewerStats(report(11, 330, 9), report(10, 300, 0), null);
    expect(video).toMatchObject({ codec: 'H264', width: 1280, height: 720, packetsLost: 9 });
    expect(video?.fps).toBe(30);
    expect(video?.bitrate).toBe(240_000);
    expect(video?.loss).toBeCloseTo(0.1);
  });

  it('adds half a round trip, jitter buffer and decoding to a latency', () => {
    const stats = readViewerStats(report(11, 330, 0), report(10, 300, 0), null);
    expect(stats.latencyMs).toBeCloseTo(15 + 20 + 4);
  });

  it('knows no latency before a frame was decoded', () => {
    expect(readViewerStats(report(1, 0, 0), null, null).latencyMs).toBeNull();
    expect(readViewerStats(new Map(), null, 5)).toMatchObject({ video: null, endToEndMs: null });
  });

  it('forgets the age of a picture that stands still', () => {
    expect(readViewerStats(report(11, 330, 0), report(10, 300, 0), 70).endToEndMs).toBe(70);
    expect(readViewerStats(report(11, 300, 0), report(10, 300, 0), 70).endToEndMs).toBeNull();
  });
});
