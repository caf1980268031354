import { describe, expect, it } from 'vitest';
import { parseAudience } from './audience.ts';
import { audienceJson, STARTED_AT } from './fixtures.ts';
import { stepsOf } from './series.ts';
import * as words from './words.ts';

const MINUTE = 60_000;

function steps(minutes: number) {
  const audience = parseAudience(audienceJson());
  return audience === null ? [] : stepsOf(audience, STARTED_AT + minutes * MINUTE);
}

describe('words', () => {
  it('say numbers and spans as people read them', () => {
    expect([0, 3.14, 9.96, 12.7, 12_345].map(words.formatNumber)).toEqual([
      ...['0', '3.1', '10', '13', '12,345'],
    ]);
    const spans = [-5, 59_999, 60_000, 3_599_999, 3_660_000, 90_000_000, 8 * 86_400_000];
    expect(spans.map(words.formatSpan)).toEqual([
      ...['0 s', '59 s', '1 min', '59 min', '1 h 01 min', '1 d 1 h', '8 d 0 h'],
    ]);
  });

  it('say nothing of the age of figures that are of now', () => {
    expect(words.describeAge(10_000, 1_000, false)).toBe('');
    expect(words.describeAge(10_000, null, false)).toBe('');
    expect(words.describeAge(21_000, 1_000, false)).toBe('These figures are 20 s old.');
    expect(words.describeAge(7_000, 1_000, true)).toBe('These figures are 6 s old.');
    expect(words.describeAge(21_000, null, true)).toBe('There are no figures yet.');
  });

  it('say what is known of a source', () => {
    const source = {
      session: 's',
      videoCodec: 'H264',
      audioCodec: 'opus',
      width: 1280,
      height: 720,
      bitrate: 2_500_000,
      roundTripMs: null,
    };
    expect(words.describeSource(source)).toBe('H264 + opus · 1280×720 · 2.5 Mbit/s');
    const unknown = { ...source, videoCodec: '', audioCodec: '', width: null, bitrate: null };
    expect(words.describeSource(unknown)).toBe('');
  });

  it('say what charts of viewers show', () => {
    expect(words.describeViewers(steps(6.5), 1, false)).toBe(
      'All players: 1 in the last minute, 4 at most',
    );
    expect(words.describeViewers([], 5, false)).toBe(
      'Viewers are drawn after its first 5 minutes.',
    );
    expect(words.describeViewers([], 1, true)).toBe('No figures of viewers are kept.');
  });

  it('name the beginning, the middle and the end of the time', () => {
    const [begin, middle, end] = words.timesOf(steps(6), 1);
    expect([begin, middle, end].map((time) => /^\d\d:(\d\d)$/.exec(time ?? '')?.[1])).toEqual([
      ...['00', '03', '06'],
    ]);
    expect(words.timesOf(steps(1), 1).map((time) => time.slice(-2))).toEqual(['00', '', '01']);
    expect(words.timesOf([], 1)).toEqual([]);
  });

  it('name countries, players and devices', () => {
    expect(['DE', 'ZZ', 'other', ''].map(words.nameOfCountry)).toEqual([
      ...['Germany', 'Unknown Region', 'Other', 'Unknown'],
    ]);
    expect(['webrtc', 'hls', 'else'].map(words.nameOfPlayer)).toEqual(['WebRTC', 'LL-HLS', 'Else']);
    expect(['mobile', 'tv'].map(words.nameOfDevice)).toEqual(['Mobile', 'TV']);
    expect([720, 4_320].map(words.nameOfHeight)).toEqual([
      'Up to 720 lines',
      'More than 2160 lines',
    ]);
    expect(words.describeSidecars([])).toBe('none');
    const one = { id: 'a', channels: 1 };
    expect(words.describeSidecars([one, { id: 'b', channels: 0 }])).toBe(
      'a (1 channel), b (0 channels)',
    );
  });
});
