import { describe, expect, it } from 'vitest';
import type { LayerStats, PublisherStats } from './publisher-stats.ts';
import { observationOf, reportUplink, type Situation } from './uplink-report.ts';

const LAYER: LayerStats = {
  rid: '',
  width: 1280,
  height: 720,
  fps: 30,
  bitrate: 2_400_000,
  framesEncoded: 1,
  limitation: 'none',
  encoder: '',
  encodeMs: 5,
};
const PATH = {
  rttMs: 20,
  protocol: 'udp',
  localType: 'host',
  remoteType: 'host',
  srtpCipher: '',
  availableOutgoing: 5_000_000,
};

interface Picture {
  layer?: Partial<LayerStats>;
  available?: number;
  limitation?: string;
  loss?: number;
  rttMs?: number;
  sourceFps?: number;
}

function stats({
  layer,
  available,
  limitation,
  loss,
  rttMs,
  sourceFps,
}: Picture = {}): PublisherStats {
  const top = { ...LAYER, ...layer };
  return {
    video: {
      codec: 'VP8',
      bitrate: top.bitrate,
      layers: [top],
      source: { width: 1280, height: 720, fps: sourceFps ?? 30 },
      resent: 0,
      limitation: limitation ?? 'none',
      nacks: 0,
      plis: 0,
    },
    audio: null,
    path: { ...PATH, availableOutgoing: available ?? 5_000_000, rttMs: rttMs ?? 20 },
    loss: loss ?? 0,
  };
}

function report(picture: Picture, situation: Partial<Situation> = {}): string {
  const { health, text } = reportUplink({
    stats: stats(picture),
    battery: null,
    fps: 30,
    content: 'motion',
    reason: null,
    settled: true,
    automatic: true,
    ...situation,
  });
  return `${health}: ${text}`;
}

const SMALL = { width: 640, height: 360, bitrate: 780_000 };

describe('reportUplink', () => {
  it('says what is sent when all is well', () => {
    expect(report({})).toBe('good: Sending 1280×720 at 30 fps, 2.4 Mbit/s.');
  });

  it('says what leaves while the path is still being measured, and judges nothing', () => {
    const settled = false;
    expect(report({ layer: SMALL, limitation: 'bandwidth' }, { settled })).toBe(
      'measuring: Sending 640×360 at 30 fps, 780 kbit/s so far. What your connection carries is still being measured.',
    );
    expect(report({ loss: 0.3 }, { settled })).toMatch(/^measuring: Sending 1280×720 /);
    expect(report({ layer: { bitrate: 0 } }, { settled })).toBe(
      'measuring: Measuring your connection…',
    );
  });

  it('has nothing to wait for once all of it leaves', () => {
    expect(report({}, { settled: false })).toBe('good: Sending 1280×720 at 30 fps, 2.4 Mbit/s.');
  });

  it('names the uplink, what it carries, and what that costs', () => {
    expect(report({ layer: SMALL, available: 1_100_000 }, { reason: 'uplink' })).toBe(
      'limited: Your connection carries 1.1 Mbit/s: sending 640×360 instead of 1280×720.',
    );
    expect(report({ layer: SMALL, available: 0 }, { reason: 'uplink' })).toBe(
      'limited: Your connection is too slow: sending 640×360 instead of 1280×720.',
    );
  });

  it('names the computer and the battery', () => {
    expect(report({ layer: { fps: 15 } }, { reason: 'computer' })).toBe(
      'limited: This computer is too slow for 1280×720 at 30 fps: sending 1280×720 at 15 fps instead of 30 fps.',
    );
    const battery = { charging: false, level: 0.18 };
    expect(report({ layer: SMALL }, { reason: 'battery', battery })).toBe(
      'limited: The battery is at 18 %: sending 640×360 instead of 1280×720 to spare it.',
    );
  });

  it('tells of what the browser holds back by itself, with advice where nothing adapts', () => {
    const limited = { layer: SMALL, available: 1_100_000, limitation: 'bandwidth' };
    expect(report(limited)).toMatch(/^limited: Your connection carries 1.1 Mbit\/s/);
    expect(report(limited, { automatic: false })).toMatch(/Choose a smaller picture/);
    expect(report({ layer: { fps: 12 }, limitation: 'bandwidth' })).toMatch(/12 fps instead of 30/);
    // A limitation that nobody can see is none.
    expect(report({ limitation: 'bandwidth' })).toMatch(/^good/);
  });

  it('tells of a camera in the dark, but not of a screen on which nothing moves', () => {
    const dark = { layer: { fps: 12 }, sourceFps: 12 };
    expect(report(dark)).toMatch(/^limited: The picture comes at 12 fps instead of 30/);
    expect(report(dark, { content: 'detail' })).toMatch(/^good/);
  });

  it('calls heavy loss, a trickle and a picture that stopped bad', () => {
    expect(report({ loss: 0.14 })).toMatch(/^bad: Your connection loses 14 %/);
    expect(report({ available: 90_000 })).toBe(
      'bad: Your connection carries 90 kbit/s, too little for a steady picture.',
    );
    expect(report({ layer: { bitrate: 0 } })).toMatch(/^bad: /);
  });

  it('tells of a path that answers slowly', () => {
    expect(report({ rttMs: 620 })).toMatch(/^limited: .*620 ms/);
  });
});

describe('observationOf', () => {
  it('reads the largest layer that runs', () => {
    const seen = observationOf(stats({ available: 1_000_000, loss: 0.03 }), null);
    expect(seen).toMatchObject({ available: 1_000_000, loss: 0.03, fps: 30, sourceFps: 30 });
  });

  it('makes do without a picture or a path', () => {
    const nothing = { video: null, audio: null, path: null, loss: 0 };
    expect(observationOf(nothing, null)).toMatchObject({ available: 0, fps: 0, encodeMs: 0 });
  });
});
