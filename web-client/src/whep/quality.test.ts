import { beforeEach, describe, expect, it } from 'vitest';
import { parseLayers } from './layers.ts';
import { QualityChoice } from './quality.ts';

const URL = 'https://a.example/layer';
const simulcast = (...heights: number[]) =>
  parseLayers({
    '0': heights.map((height) => ({ rid: `r${height}`, bitrate: 1000, width: 9999, height })),
  });

let posted: [string, object][];
let fails: boolean;
let stored: Map<string, string>;

function make(linked = ''): QualityChoice {
  return new QualityChoice(linked, {
    onChange: () => undefined,
    storage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
    },
    post: (url, choice) => {
      if (fails) return Promise.reject(new Error('503'));
      posted.push([url, choice]);
      return Promise.resolve();
    },
  });
}

const settle = () => new Promise((resolve) => setTimeout(resolve));
const choices = () => posted.map(([, choice]) => choice);
const named = (choice: QualityChoice, name: string) =>
  choice.qualities.find((quality) => quality.name === name) ?? null;

beforeEach(() => {
  posted = [];
  fails = false;
  stored = new Map();
});

describe('QualityChoice', () => {
  it('asks for nothing while all is automatic', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    await settle();
    expect(posted).toEqual([]);
    expect(choice.chosen).toBeNull();
  });

  it('asks another player for the same size once its qualities are known', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    choice.choose(named(choice, '360p'));
    await settle();
    choice.playerChanged();
    expect(choice.qualities).toEqual([]);
    choice.sessionOpened('https://a.example/hls');
    choice.setLayers(parseLayers({ '': [{ rid: '2', bitrate: 1, width: 999, height: 360 }] }));
    await settle();
    expect(posted.at(-1)).toEqual(['https://a.example/hls', { mediaId: '', rid: '2' }]);
  });

  it('asks for what is picked, once, and for automatic again', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    choice.choose(named(choice, '360p'));
    await settle();
    choice.setLayers(simulcast(720, 360));
    await settle();
    choice.choose(null);
    await settle();
    expect(choices()).toEqual([{ mediaId: '0', rid: 'r360' }, {}]);
  });

  it('asks only for the last of several quick picks', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360, 180));
    for (const name of ['720p', '360p', '180p']) choice.choose(named(choice, name));
    await settle();
    expect(choices().at(-1)).toEqual({ mediaId: '0', rid: 'r180' });
    expect(posted.length).toBeLessThan(3);
  });

  it('keeps the choice for the next session and the next visit', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    choice.choose(named(choice, '360p'));
    await settle();
    choice.sessionOpened(`${URL}2`);
    await settle();
    expect(posted.at(-1)).toEqual([`${URL}2`, { mediaId: '0', rid: 'r360' }]);
    const next = make();
    next.sessionOpened(`${URL}3`);
    await settle();
    expect(posted).toHaveLength(2);
    next.setLayers(simulcast(1080, 480, 240));
    await settle();
    expect(posted.at(-1)).toEqual([`${URL}3`, { mediaId: '0', rid: 'r240' }]);
  });

  it('takes the smallest there is if all are larger', () => {
    stored.set('spillway-quality', '180');
    const choice = make();
    choice.setLayers(simulcast(720, 360));
    expect(choice.chosen?.name).toBe('360p');
  });

  it('tells two of a size apart', () => {
    const choice = make();
    choice.sessionOpened(URL);
    const twins = [2000, 1000].map((bitrate) => ({
      rid: `${bitrate}`,
      bitrate,
      width: 9,
      height: 9,
    }));
    choice.setLayers(parseLayers({ '0': twins }));
    choice.choose(choice.qualities[1] ?? null);
    expect(choice.chosen?.id).toBe('1000/');
  });

  it('leaves the layer of the page’s address alone until something is picked', async () => {
    stored.set('spillway-quality', '720');
    const choice = make('r360');
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    await settle();
    expect(choice.chosen?.name).toBe('360p');
    expect(choices()).toEqual([{ mediaId: '0', rid: 'r360' }]);
    choice.choose(null);
    await settle();
    expect(choices().at(-1)).toEqual({});
  });

  it('tries again with the next news after a failure', async () => {
    const choice = make();
    choice.sessionOpened(URL);
    choice.setLayers(simulcast(720, 360));
    fails = true;
    choice.choose(named(choice, '360p'));
    await settle();
    fails = false;
    choice.setLayers(simulcast(720, 360));
    await settle();
    expect(choices()).toEqual([{ mediaId: '0', rid: 'r360' }]);
  });

  it('offers nothing where nothing can be chosen, and keeps the menu between broadcasts', () => {
    const choice = make();
    choice.setLayers(simulcast(720));
    choice.sessionOpened(null);
    expect(choice.qualities).toEqual([]);
    choice.sessionOpened(URL);
    choice.setLayers([]);
    expect(choice.qualities).toHaveLength(1);
  });

  it('reads only sound memories', () => {
    for (const text of ['auto', '', 'x', '-1', 'Infinity']) {
      stored.set('spillway-quality', text);
      const choice = make();
      choice.setLayers(simulcast(720));
      expect(choice.chosen).toBeNull();
    }
  });
});
