import { describe, expect, it } from 'vitest';
import { Delta, entries, readPath, type StatsReport } from './stats.ts';

function report(...all: { id: string; [name: string]: unknown }[]): StatsReport {
  return new Map(all.map((entry) => [entry.id, { timestamp: 0, ...entry }]));
}

describe('Delta', () => {
  const before = report({
    id: 'v',
    type: 'inbound-rtp',
    timestamp: 1000,
    bytes: 100,
    delay: 1,
    n: 10,
  });
  const after = report({
    id: 'v',
    type: 'inbound-rtp',
    timestamp: 3000,
    bytes: 700,
    delay: 4,
    n: 40,
  });
  const [entry] = entries(after, 'inbound-rtp');

  it('gives rates per second and averages per event', () => {
    const delta = new Delta(after, before);
    expect(delta.rate(entry, 'bytes')).toBe(300);
    expect(delta.average(entry, 'delay', 'n')).toBeCloseTo(0.1);
  });

  it('gives no rate without an earlier report, and none for what is missing', () => {
    expect(new Delta(after, null).rate(entry, 'bytes')).toBe(0);
    expect(new Delta(after, before).rate(entry, 'absent')).toBe(0);
    expect(new Delta(after, before).average(entry, 'delay', 'absent')).toBe(0);
    expect(new Delta(after, before).rate(undefined, 'bytes')).toBe(0);
  });

  it('survives counters that start again', () => {
    const delta = new Delta(before, after);
    expect(delta.of(entries(before, 'inbound-rtp')[0], 'bytes')).toBe(0);
  });
});

describe('readPath', () => {
  const candidates = [
    {
      id: 'l',
      type: 'local-candidate',
      candidateType: 'relay',
      protocol: 'udp',
      relayProtocol: 'tls',
    },
    { id: 'r', type: 'remote-candidate', candidateType: 'host', protocol: 'udp' },
  ];
  const pair = {
    id: 'p',
    type: 'candidate-pair',
    localCandidateId: 'l',
    remoteCandidateId: 'r',
    currentRoundTripTime: 0.04,
  };

  it('finds the pair that the transport names', () => {
    const other = { id: 'o', type: 'candidate-pair', currentRoundTripTime: 9 };
    const transport = {
      id: 't',
      type: 'transport',
      selectedCandidatePairId: 'p',
      srtpCipher: 'GCM',
    };
    expect(readPath(report(other, pair, transport, ...candidates))).toEqual({
      rttMs: 40,
      protocol: 'tls',
      localType: 'relay',
      remoteType: 'host',
      srtpCipher: 'GCM',
      availableOutgoing: 0,
    });
  });

  it('finds the pair that Firefox marks', () => {
    expect(readPath(report({ ...pair, selected: true }, ...candidates))?.rttMs).toBe(40);
  });

  it('knows no path before one is chosen', () => {
    expect(readPath(report(pair))).toBeNull();
  });
});
