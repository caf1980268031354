import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatSocket, chatUrl, DataChannels, type TransportEvents } from './transport.ts';

/** As much of a data channel as the transport uses. */
class FakeChannel extends EventTarget {
  readyState: RTCDataChannelState = 'connecting';
  bufferedAmount = 0;
  readonly sent: string[] = [];
  send(frame: string): void {
    this.sent.push(frame);
  }
  close(): void {
    this.readyState = 'closed';
  }
  opens(): void {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }
  gets(data: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
  ends(): void {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

let chat: FakeChannel;
let reactions: FakeChannel;
let seen: string[];
let events: TransportEvents;

function channels(): DataChannels {
  return new DataChannels({
    chat: chat as unknown as RTCDataChannel,
    reactions: reactions as unknown as RTCDataChannel,
  });
}

beforeEach(() => {
  chat = new FakeChannel();
  reactions = new FakeChannel();
  seen = [];
  events = {
    onOpen: () => seen.push('open'),
    onFrame: (frame) => seen.push(frame),
    onClose: () => seen.push('closed'),
  };
});

describe('DataChannels', () => {
  it('open, hear on both, and end with the chat’s', () => {
    const both = channels();
    both.open(events);
    expect(both.send('early')).toBe(false);
    chat.opens();
    chat.gets('from chat');
    reactions.gets('from reactions');
    chat.gets(new ArrayBuffer(3));
    reactions.ends();
    chat.ends();
    chat.gets('late');
    expect(seen).toEqual(['open', 'from chat', 'from reactions', 'closed']);
  });

  it('are told at once if they are open already, or over', () => {
    chat.opens();
    channels().open(events);
    chat.ends();
    channels().open(events);
    expect(seen).toEqual(['open', 'closed', 'closed']);
  });

  it('send what may get lost by its own way, if there is one', () => {
    const both = channels();
    both.open(events);
    chat.opens();
    expect(both.sendLossy('one')).toBe(true);
    reactions.opens();
    expect(both.sendLossy('two')).toBe(true);
    expect([chat.sent, reactions.sent]).toEqual([['one'], ['two']]);
  });

  it('leave no more waiting than they may', () => {
    const both = channels();
    both.open(events);
    chat.opens();
    chat.bufferedAmount = 100_000;
    expect(both.send('one')).toBe(false);
    chat.bufferedAmount = 0;
    expect(both.send('two')).toBe(true);
  });

  it('say nothing after they were closed', () => {
    const both = channels();
    both.open(events);
    chat.opens();
    both.close();
    chat.ends();
    chat.gets('late');
    expect(both.send('late')).toBe(false);
    expect(seen).toEqual(['open']);
  });
});

class FakeSocket extends FakeChannel {
  static readonly OPEN = 1;
  static latest: FakeSocket | null = null;
  constructor(readonly url: string) {
    super();
    FakeSocket.latest = this;
  }
}

describe('ChatSocket', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('opens, hears and ends', () => {
    vi.stubGlobal('WebSocket', FakeSocket);
    const socket = new ChatSocket('ws://node/chat');
    expect(socket.send('early')).toBe(false);
    socket.open(events);
    const { latest } = FakeSocket;
    expect(latest?.url).toBe('ws://node/chat');
    latest?.opens();
    latest?.gets('frame');
    latest?.ends();
    expect(seen).toEqual(['open', 'frame', 'closed']);
  });
});

describe('chatUrl', () => {
  it('is as secure as the page', () => {
    expect(chatUrl('https://node.example', 'demo')).toBe(
      'wss://node.example/api/v1/channels/demo/chat',
    );
    expect(chatUrl('http://localhost:8080', 'a_b-1')).toBe(
      'ws://localhost:8080/api/v1/channels/a_b-1/chat',
    );
  });
});
