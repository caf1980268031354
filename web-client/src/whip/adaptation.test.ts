import { describe, expect, it } from 'vitest';
import { Adaptation, type Observation } from './adaptation.ts';
import { ladder } from './ladder.ts';
import type { VideoSettings } from './settings.ts';

const settings: VideoSettings = {
  height: 720,
  fps: 30,
  bitrate: 2_500_000,
  codec: '',
  layered: false,
};
const FINE: Observation = {
  available: 5_000_000,
  sent: 2_400_000,
  loss: 0,
  limitation: 'none',
  fps: 30,
  sourceFps: 30,
  encodeMs: 6,
  battery: null,
};

/** A broadcast in virtual time. */
class Broadcast {
  now = 0;
  readonly adaptation = new Adaptation(ladder(settings, 'none', 'motion'));
  readonly changes: [number, string, string | null][] = [];

  constructor() {
    this.adaptation.begin(0);
  }

  /** What an encoder with this step and an uplink or computer like this would say, for so many seconds. */
  run(seconds: number, seen: Partial<Observation> | (() => Partial<Observation>)): this {
    for (let second = 0; second < seconds; second++) {
      this.now += 1000;
      const part = typeof seen === 'function' ? seen() : seen;
      if (this.adaptation.observe(this.now, { ...FINE, ...part })) {
        const { step, reason } = this.adaptation;
        this.changes.push([this.now / 1000, `${step.height}@${step.fps}`, reason]);
      }
    }
    return this;
  }

  /** A browser on an uplink of this rate: it measures little beyond what it sends. */
  uplink(rate: number): () => Partial<Observation> {
    return () => {
      const { bitrate } = this.adaptation.step;
      const available = Math.min(rate, bitrate * 2);
      return {
        available,
        sent: Math.min(available, bitrate),
        limitation: available < bitrate ? 'bandwidth' : 'none',
      };
    };
  }
}

describe('Adaptation', () => {
  it('sends all that was chosen while all is well', () => {
    const broadcast = new Broadcast().run(300, {});
    expect(broadcast.changes).toEqual([]);
    expect(broadcast.adaptation.reason).toBeNull();
  });

  it('gives a new path time to be measured', () => {
    const broadcast = new Broadcast().run(11, { available: 300_000, limitation: 'bandwidth' });
    broadcast.run(100, {});
    expect(broadcast.changes).toEqual([]);
  });

  it('goes down to what a thin uplink carries, stays there, and comes back', () => {
    const broadcast = new Broadcast().run(30, {});
    broadcast.run(120, broadcast.uplink(1_100_000));
    expect(broadcast.changes).toEqual([[34, '360@30', 'uplink']]);
    broadcast.changes.length = 0;
    broadcast.run(60, broadcast.uplink(6_000_000));
    expect(broadcast.changes.map(([, step]) => step)).toEqual(['540@30', '720@30']);
    expect(broadcast.adaptation.reason).toBeNull();
    const [, last] = broadcast.changes;
    expect(last?.[0]).toBeLessThan(150 + 25);
  });

  it('seldom changes on an uplink that swings around a step', () => {
    const broadcast = new Broadcast().run(30, {});
    let second = 0;
    broadcast.run(600, () => broadcast.uplink(second++ % 20 < 10 ? 1_300_000 : 1_900_000)());
    expect(broadcast.changes.length).toBeLessThan(20);
  });

  it('takes heavy loss for a full uplink where the browser tells no rate', () => {
    const broadcast = new Broadcast().run(20, { available: 0 });
    broadcast.run(8, { available: 0, loss: 0.2 });
    expect(broadcast.changes.map(([, step]) => step)).toEqual(['540@30', '360@30']);
    broadcast.run(60, { available: 0, loss: 0 });
    expect(broadcast.adaptation.level).toBe(0);
  });

  it.each([
    ['the browser says so', { limitation: 'cpu' }],
    ['frames are missing', { fps: 14 }],
    ['encoding takes nearly all the time', { encodeMs: 32 }],
  ])('goes down for a slow computer: %s', (_, slow: Partial<Observation>) => {
    const broadcast = new Broadcast().run(20, {});
    broadcast.run(6, slow);
    expect(broadcast.changes).toEqual([[25, '540@30', 'computer']]);
    broadcast.run(60, {});
    expect(broadcast.adaptation.level).toBe(0);
  });

  it('leaves a picture alone that is easy to encode', () => {
    const easy = { available: 700_000, sent: 220_000 };
    expect(new Broadcast().run(60, easy).changes).toEqual([]);
  });

  it('tries a slow computer ever more rarely', () => {
    const broadcast = new Broadcast().run(20, {});
    broadcast.run(900, () =>
      broadcast.adaptation.level === 0 ? { encodeMs: 40 } : { encodeMs: 8 },
    );
    expect(broadcast.changes.length).toBeLessThan(25);
    expect(broadcast.adaptation.reason).toBe('computer');
  });

  it('blames no computer for frames that the uplink or a dark room takes', () => {
    const broadcast = new Broadcast();
    broadcast.run(60, { fps: 14, limitation: 'bandwidth' }).run(60, { fps: 15, sourceFps: 15 });
    expect(broadcast.changes).toEqual([]);
  });

  it('saves an empty battery, and not one that is charged', () => {
    const battery = (level: number, charging = false) => ({ battery: { level, charging } });
    const broadcast = new Broadcast().run(20, battery(0.5));
    broadcast.run(5, battery(0.19)).run(5, battery(0.21)).run(5, battery(0.09));
    expect(broadcast.changes.map(([, step, reason]) => [step, reason])).toEqual([
      ['540@30', 'battery'],
      ['360@30', 'battery'],
    ]);
    broadcast.run(1, battery(0.09, true));
    expect(broadcast.adaptation.level).toBe(0);
  });

  it('follows the strongest of several reasons', () => {
    const broadcast = new Broadcast().run(20, {});
    broadcast.run(10, { ...broadcast.uplink(1_100_000)(), encodeMs: 3 });
    expect(broadcast.adaptation.reason).toBe('uplink');
    const thin = broadcast.uplink(1_100_000);
    broadcast.run(6, () => ({ ...thin(), limitation: 'cpu' }));
    expect(broadcast.adaptation).toMatchObject({ level: 3, reason: 'computer' });
  });

  it('begins anew with other settings, and keeps its step over a reconnection', () => {
    const broadcast = new Broadcast().run(20, {});
    broadcast.run(10, broadcast.uplink(1_100_000));
    expect(broadcast.adaptation.level).toBe(2);
    broadcast.adaptation.begin(broadcast.now);
    expect(broadcast.adaptation.settled(broadcast.now)).toBe(false);
    expect(broadcast.adaptation.level).toBe(2);
    broadcast.adaptation.choose(ladder({ ...settings, height: 360 }, 'none', 'motion'));
    expect(broadcast.adaptation.step.height).toBe(360);
    expect(broadcast.adaptation.level).toBe(0);
  });
});
