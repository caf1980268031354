import { describe, expect, it } from 'vitest';
import { readPublisherStats } from './publisher-stats.ts';

function layer(rid: string, timestamp: number, bytesSent: number, limitation: string) {
  return {
    id: rid,
    rid,
    type: 'outbound-rtp',
    kind: 'video',
    remoteId: `r${rid}`,
    qualityLimitationReason: limitation,
    timestamp,
    bytesSent,
  };
}

function report(timestamp: number, bytes: number): Map<string, unknown> {
  const all = [
    layer('f', timestamp, bytes * 4, 'bandwidth'),
    layer('q', timestamp, bytes, 'none'),
    { id: 'rq', type: 'remote-inbound-rtp', timestamp, fractionLost: 0.02 },
    { id: 'rf', type: 'remote-inbound-rtp', timestamp, fractionLost: 0.05 },
  ];
  return new Map(all.map((entry) => [entry.id, entry]));
}

describe('readPublisherStats', () => {
  const stats = readPublisherStats(report(2000, 50_000), report(1000, 0));

  it('lists layers smallest first and adds them up', () => {
    expect(stats.video?.layers.map(({ rid }) => rid)).toEqual(['q', 'f']);
    expect(stats.video?.bitrate).toBe(2_000_000);
  });

  it('names what holds any layer back, and the worst loss', () => {
    expect(stats.video?.limitation).toBe('bandwidth');
    expect(stats.loss).toBe(0.05);
  });

  it('counts pictures, not the frames of their spatial layers', () => {
    const svc = (timestamp: number, framesEncoded: number): Map<string, unknown> => {
      const entry = { ...layer('', timestamp, 0, 'none'), framesEncoded };
      const times = { totalEncodeTime: framesEncoded * 0.004, scalabilityMode: 'L3T3_KEY' };
      return new Map([['v', { ...entry, ...times, id: 'v' }]]);
    };
    const [only] = readPublisherStats(svc(2000, 180), svc(1000, 90)).video?.layers ?? [];
    expect(only?.fps).toBe(30);
    expect(only?.encodeMs).toBeCloseTo(12);
  });

  it('has nothing to say before anything is sent', () => {
    expect(readPublisherStats(new Map(), null)).toEqual({
      video: null,
      audio: null,
      path: null,
      loss: 0,
    });
  });
});
