import { describe, expect, it } from 'vitest';
import { MediaWatch, type MediaNews } from './media-watch.ts';

const idle = { framesDecoded: 0, videoPackets: 0, audioPackets: 0 };

describe('MediaWatch', () => {
  it('says nothing before media comes', () => {
    const watch = new MediaWatch();
    for (let now = 0; now < 60_000; now += 1000) expect(watch.observe(now, idle, false)).toBeNull();
  });

  it('wants decoded frames, not just packets', () => {
    const watch = new MediaWatch();
    expect(watch.observe(0, { ...idle, videoPackets: 500 }, false)).toBeNull();
    expect(watch.observe(1000, { ...idle, videoPackets: 900, framesDecoded: 1 }, false)).toBe(
      'media-flows',
    );
  });

  it('calls it stalled after three seconds without a frame, once', () => {
    const watch = new MediaWatch();
    const progress = { ...idle, videoPackets: 9, framesDecoded: 5 };
    const news: MediaNews[] = [];
    for (let now = 0; now <= 8000; now += 1000) news.push(watch.observe(now, progress, false));
    expect(news).toEqual([
      'media-flows',
      null,
      null,
      'media-stalled',
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  it('does not call sound a picture when the picture stops', () => {
    const watch = new MediaWatch();
    watch.observe(0, { framesDecoded: 5, videoPackets: 9, audioPackets: 10 }, false);
    const news = [1, 2, 3].map((second) =>
      watch.observe(
        second * 1000,
        { framesDecoded: 5, videoPackets: 9, audioPackets: 10 + 50 * second },
        false,
      ),
    );
    expect(news).toEqual([null, null, 'media-stalled']);
  });

  it('accepts a broadcast of sound alone after three seconds', () => {
    const watch = new MediaWatch();
    const news = [0, 1, 2, 3, 4].map((second) =>
      watch.observe(second * 1000, { ...idle, audioPackets: 50 * (second + 1) }, false),
    );
    expect(news).toEqual([null, null, null, 'media-flows', 'media-flows']);
  });

  it('trusts packets while the page is hidden and browsers may skip decoding', () => {
    const watch = new MediaWatch();
    watch.observe(0, { ...idle, framesDecoded: 5, videoPackets: 9 }, true);
    expect(watch.observe(5000, { ...idle, framesDecoded: 5, videoPackets: 99 }, true)).toBe(
      'media-flows',
    );
  });
});
