import { describe, expect, it } from 'vitest';
import { ladder, type Content } from './ladder.ts';
import { FRAME_RATES, HEIGHTS, type Layering, type VideoSettings } from './settings.ts';

const settings: VideoSettings = {
  height: 720,
  fps: 30,
  bitrate: 2_500_000,
  codec: '',
  layered: false,
};
const sizes = (layering: Layering, content: Content, video = settings): string[] =>
  ladder(video, layering, content).map(({ height, fps }) => `${height}@${fps}`);

describe('ladder', () => {
  it('makes a moving picture smaller, and slower in the end', () => {
    expect(sizes('none', 'motion')).toEqual(['720@30', '540@30', '360@30', '360@15']);
    const fast = { ...settings, height: 1080, fps: 60 } as const;
    expect(sizes('svc', 'motion', fast).slice(0, 3)).toEqual(['1080@60', '1080@30', '720@30']);
  });

  it('makes a screen slower and keeps it sharp', () => {
    expect(sizes('none', 'detail')).toEqual(['720@30', '720@15', '720@8', '720@5']);
  });

  it('leaves the largest layers of simulcast out', () => {
    expect(sizes('simulcast', 'motion')).toEqual(['720@30', '360@30', '180@30']);
    const fast = { ...settings, fps: 60 };
    const steps = ladder(fast, 'simulcast', 'detail');
    expect(steps.map(({ layers }) => layers)).toEqual([3, 3, 2, 1]);
  });

  it('takes less with every step, whatever was chosen', () => {
    for (const height of HEIGHTS)
      for (const fps of FRAME_RATES)
        for (const layering of ['none', 'simulcast', 'svc'] as const)
          for (const content of ['motion', 'detail'] as const) {
            const steps = ladder({ ...settings, height, fps }, layering, content);
            const rates = steps.map(({ bitrate }) => bitrate);
            expect(rates[0]).toBeGreaterThanOrEqual(settings.bitrate);
            rates.slice(1).forEach((rate, index) => {
              expect(rate).toBeLessThan(rates[index] ?? 0);
            });
          }
  });
});
