import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ViewerEvents, type EventListener } from './events.ts';

const STREAM = 'https://a.example/whep/demo/k/events/1';
const extensions = { events: 'https://a.example/whep/demo/k/events', layer: null };

/** As much of an EventSource as is used. */
class FakeSource extends EventTarget {
  readyState = 1;
  closed = false;
  close(): void {
    this.closed = true;
  }
  tell(type: string, data: string): void {
    this.dispatchEvent(new MessageEvent(type, { data }));
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.dispatchEvent(new Event('error'));
  }
}

let sources: FakeSource[];
let heard: unknown[];
let refused: boolean;
const connected = () => heard.filter((word) => typeof word === 'boolean').at(-1);

const listener: EventListener = {
  onActivity: (activity) => heard.push(activity),
  onLayers: (layers) => heard.push(layers.map(({ rid }) => rid)),
  onViewers: (viewers) => heard.push(viewers),
  onReconnect: (endpoint) => heard.push(`to ${endpoint}`),
  onConnected: (is) => heard.push(is),
};

function make(): ViewerEvents {
  return new ViewerEvents(listener, {
    open: () => (refused ? Promise.reject(new Error('503')) : Promise.resolve(STREAM)),
    connect: () => {
      const source = new FakeSource();
      sources.push(source);
      return source as unknown as EventSource;
    },
  });
}

beforeEach(() => {
  vi.stubGlobal('EventSource', { CLOSED: 2 });
  sources = [];
  heard = [];
  refused = false;
});

describe('ViewerEvents', () => {
  it('tells what comes', async () => {
    await make().start(extensions);
    sources[0]?.dispatchEvent(new Event('open'));
    sources[0]?.tell('active', '{}');
    sources[0]?.tell('layers', '{"0":[{"rid":"f"}]}');
    sources[0]?.tell('viewercount', '{"viewercount":3}');
    sources[0]?.tell('inactive', '{"ended":false}');
    sources[0]?.tell('inactive', '{"ended":true}');
    expect(heard).toEqual([true, 'active', ['f'], 3, 'interrupted', 'over']);
  });

  it('survives what it does not understand', async () => {
    await make().start(extensions);
    for (const data of ['', '{', 'null', '7', '{"viewercount":"x"}']) {
      sources[0]?.tell('viewercount', data);
      sources[0]?.tell('layers', data);
    }
    expect(heard.flat()).toEqual([]);
  });

  it('says where the node wants it to go, and is over', async () => {
    await make().start(extensions);
    sources[0]?.tell('reconnect', '{"url":"/whep/other"}');
    expect(heard).toEqual([false, 'to https://a.example/whep/other']);
    expect(sources[0]?.closed).toBe(true);
  });

  it('goes where it was if the node names no address of the web', async () => {
    for (const data of ['{}', '{"url":"javascript:alert(1)"}', '{"url":7}']) {
      await make().start(extensions);
      sources.at(-1)?.tell('reconnect', data);
      expect(heard.at(-1)).toBe('to null');
    }
  });

  it('does without where there are none, or too many', async () => {
    await make().start({ events: null, layer: null });
    refused = true;
    await make().start(extensions);
    expect(sources).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('waits for the browser to connect again, but not after a refusal', async () => {
    await make().start(extensions);
    sources[0]?.fail(0);
    expect(connected()).toBe(false);
    expect(sources[0]?.closed).toBe(false);
    sources[0]?.fail(2);
    expect(sources[0]?.closed).toBe(true);
  });

  it('lets the connection go while it pauses', async () => {
    const events = make();
    events.pause();
    await events.start(extensions);
    expect(sources).toHaveLength(0);
    events.resume();
    events.pause();
    expect(sources[0]?.closed).toBe(true);
    events.resume();
    expect(sources).toHaveLength(2);
    sources[0]?.tell('active', '{}');
    expect(heard).not.toContain('active');
    events.stop();
    events.resume();
    expect(sources).toHaveLength(2);
  });
});
