import { describe, expect, it } from 'vitest';
import {
  encodingsOf,
  fullStep,
  HEIGHTS,
  preferCodec,
  suggestedBitrate,
  widthOf,
} from './settings.ts';

const settings = { height: 720, fps: 30, bitrate: 2_500_000, codec: '', layered: false } as const;

describe('encodingsOf', () => {
  it('sends one encoding without layers', () => {
    expect(encodingsOf(settings, 'none')).toEqual([
      { maxBitrate: 2_500_000, maxFramerate: 30, scaleResolutionDownBy: 1 },
    ]);
  });

  it('sends one encoding of three spatial layers where the codec has them', () => {
    const [encoding, ...others] = encodingsOf(settings, 'svc');
    expect(others).toEqual([]);
    expect(encoding).toMatchObject({ maxBitrate: 2_500_000, scalabilityMode: 'L3T3_KEY' });
  });

  it('sends three layers with simulcast, the largest with the chosen bitrate', () => {
    const layers = encodingsOf(settings, 'simulcast');
    expect(layers.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy])).toEqual([
      ['q', 4],
      ['h', 2],
      ['f', 1],
    ]);
    const rates = layers.map(({ maxBitrate }) => maxBitrate ?? 0);
    expect(rates.at(-1)).toBe(2_500_000);
    expect(rates).toEqual([...rates].sort((one, other) => one - other));
    const sum = rates.reduce((total, rate) => total + rate, 0);
    expect(fullStep(settings, 'simulcast').bitrate).toBeCloseTo(sum);
  });

  it('keeps the layers that a step leaves out, but inactive', () => {
    const step = { ...fullStep(settings, 'simulcast'), layers: 2 };
    const active = encodingsOf(settings, 'simulcast', step).map((encoding) => encoding.active);
    expect(active).toEqual([true, true, false]);
  });
});

describe('preferCodec', () => {
  const codecs = ['video/VP8', 'video/rtx', 'video/H264', 'video/AV1'].map((mimeType) => ({
    mimeType,
  }));

  it('puts the chosen codec first and drops none', () => {
    const preferred = preferCodec(codecs, 'H264').map(({ mimeType }) => mimeType);
    expect(preferred).toEqual(['video/H264', 'video/VP8', 'video/rtx', 'video/AV1']);
  });

  it('leaves the choice to the browser if it lacks the codec', () => {
    expect(preferCodec(codecs, 'H265')).toEqual([]);
  });
});

describe('picture sizes', () => {
  it('are 16:9 with even sides, as encoders want them', () => {
    expect(HEIGHTS.map(widthOf)).toEqual([1920, 1280, 960, 640]);
  });

  it('get more bits when there is more to show', () => {
    const rates = HEIGHTS.map((height) => suggestedBitrate(height, 30));
    expect(rates).toEqual([...rates].sort((one, other) => other - one));
    expect(suggestedBitrate(720, 60)).toBeGreaterThan(suggestedBitrate(720, 30));
  });
});
