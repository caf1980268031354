import { describe, expect, it } from 'vitest';
import { detailOf, parseLayers, qualitiesOf } from './layers.ts';

const layer = (fields: object) => ({ bitrate: 1000, ...fields });

describe('parseLayers', () => {
  it('reads the layers of the first video', () => {
    const data = { '1': [layer({ rid: 'f', width: 1280, height: 720 })], '2': [layer({})] };
    expect(parseLayers(data)).toEqual([
      { mediaId: '1', rid: 'f', spatial: null, bitrate: 1000, width: 1280, height: 720 },
    ]);
  });

  it('survives what it does not understand', () => {
    for (const data of [null, 7, 'x', [], {}, { '0': 'x' }, { '0': {} }]) {
      expect(parseLayers(data)).toEqual([]);
    }
    const [odd] = parseLayers({ '0': [{ rid: 1, bitrate: '9', width: -1, height: NaN }] });
    expect(odd).toMatchObject({ rid: null, bitrate: 0, width: 0, height: 0 });
    expect(parseLayers({ '0': [null] })).toHaveLength(1);
  });
});

describe('qualitiesOf', () => {
  const of = (...layers: object[]) => qualitiesOf(parseLayers({ '0': layers }));

  it('names simulcast encodings by their lines, the largest first', () => {
    const qualities = of(
      layer({ rid: 'q', width: 320, height: 180 }),
      layer({ rid: 'f', width: 1280, height: 720 }),
    );
    expect(qualities.map(({ name }) => name)).toEqual(['720p', '180p']);
    expect(qualities[0]?.choice).toEqual({ mediaId: '0', rid: 'f' });
  });

  it('takes the spatial layers of one encoding for sizes, and its temporal layers for none', () => {
    const qualities = of(
      layer({ spatialLayerId: 1, temporalLayerId: 1, bitrate: 900, width: 1280, height: 720 }),
      layer({ spatialLayerId: 1, temporalLayerId: 0, bitrate: 500, width: 1280, height: 720 }),
      layer({ spatialLayerId: 0, temporalLayerId: 0, bitrate: 100, width: 640, height: 360 }),
    );
    expect(qualities.map(({ name, bitrate }) => [name, bitrate])).toEqual([
      ['720p', 900],
      ['360p', 100],
    ]);
    expect(qualities[1]?.choice).toEqual({ mediaId: '0', spatialLayerId: 0 });
  });

  it('keeps what is not sent at present, and leaves out what never was', () => {
    const [paused] = of({ rid: 'f', width: 1280, height: 720 });
    expect(paused?.name).toBe('720p');
    expect(paused && detailOf(paused)).toBe('unavailable now');
    expect(of({ rid: 'f' })).toEqual([]);
  });

  it('names an upright picture by its short side, and one of unknown size by its place', () => {
    expect(of(layer({ rid: 'f', width: 720, height: 1280 }))[0]?.name).toBe('720p');
    expect(
      of(layer({ rid: 'a' }), layer({ rid: 'b', bitrate: 5 })).map(({ name }) => name),
    ).toEqual(['Layer 2', 'Layer 1']);
  });
});
