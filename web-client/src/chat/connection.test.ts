import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatConnection } from './connection.ts';
import type { ServerItem } from './protocol.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** A transport that can be told what happens to it. */
class FakeTransport implements Transport {
  events: TransportEvents | null = null;
  closed = false;
  readonly sent: { type: string }[] = [];
  constructor(readonly kind: Transport['kind']) {}
  open(events: TransportEvents): void {
    this.events = events;
  }
  send(frame: string): boolean {
    this.sent.push(JSON.parse(frame) as { type: string });
    return true;
  }
  sendLossy(frame: string): boolean {
    return this.send(frame);
  }
  close(): void {
    this.closed = true;
  }
  opens(): void {
    this.events?.onOpen();
  }
  says(...items: unknown[]): void {
    this.events?.onFrame(JSON.stringify(items));
  }
  welcomes(): void {
    this.says({ type: 'welcome', author: { id: 'a', name: 'Ada' }, rights: {}, last: 0 });
  }
  breaks(): void {
    this.events?.onClose();
  }
}

let sockets: FakeTransport[];
let states: string[];
let items: ServerItem[];
let connection: ChatConnection;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  states = [];
  items = [];
  connection = new ChatConnection({
    openSocket: () => {
      const socket = new FakeTransport('web-socket');
      sockets.push(socket);
      return socket;
    },
    hello: () => ({ type: 'hello', after: items.length }),
    onItems: (fresh) => items.push(...fresh),
    onState: ({ name }) => {
      if (states.at(-1) !== name) states.push(name);
    },
    random: () => 1,
  });
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const channels = () => new FakeTransport('data-channels');
const hellos = ({ sent }: FakeTransport) => sent.filter(({ type }) => type === 'hello').length;

async function connectSocket(): Promise<FakeTransport> {
  connection.start();
  await pass(0);
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error('No socket was opened.');
  socket.opens();
  socket.welcomes();
  return socket;
}

describe('ChatConnection', () => {
  it('says hello over a WebSocket where there are no channels', async () => {
    const socket = await connectSocket();
    expect(socket.sent).toEqual([{ type: 'hello', after: 0 }]);
    expect(connection.state).toEqual({ name: 'ready', over: 'web-socket' });
    expect(connection.say({ type: 'follow', on: true })).toBe(true);
    expect(socket.sent.at(-1)).toEqual({ type: 'follow', on: true });
  });

  it('says nothing before it is welcome', async () => {
    connection.start();
    await pass(0);
    sockets[0]?.opens();
    expect(connection.say({ type: 'follow', on: true })).toBe(false);
  });

  it('waits for channels that are to come, and opens no WebSocket beside them', async () => {
    const both = channels();
    connection.offer(null, true);
    connection.start();
    await pass(3_000);
    connection.offer(both, true);
    await pass(3_000);
    both.opens();
    both.welcomes();
    await pass(60_000);
    expect(sockets).toHaveLength(0);
    expect(connection.state).toEqual({ name: 'ready', over: 'data-channels' });
  });

  it('speaks through channels that were open before it started', async () => {
    const both = channels();
    connection.offer(both, true);
    both.opens();
    connection.start();
    both.welcomes();
    await pass(10_000);
    expect(sockets).toHaveLength(0);
    expect(connection.state).toEqual({ name: 'ready', over: 'data-channels' });
  });

  it('does without channels that don’t open, until they do', async () => {
    const both = channels();
    connection.offer(both, true);
    connection.start();
    await pass(4_000);
    const [socket] = sockets;
    socket?.opens();
    socket?.welcomes();
    both.opens();
    expect(socket?.closed).toBe(true);
    expect(hellos(both)).toBe(1);
    both.welcomes();
    expect(connection.state).toEqual({ name: 'ready', over: 'data-channels' });
  });

  it('goes over to a WebSocket at once when the channels are gone for good', async () => {
    const both = channels();
    connection.offer(both, true);
    connection.start();
    both.opens();
    both.welcomes();
    connection.offer(null);
    expect(both.closed).toBe(true);
    await pass(0);
    expect(sockets).toHaveLength(1);
  });

  it('hears nothing of what it doesn’t speak through any more', async () => {
    const socket = await connectSocket();
    const both = channels();
    connection.offer(both, true);
    both.opens();
    const before = items.length;
    socket.says({ type: 'presence', viewers: 1, chatters: 1 });
    expect(items).toHaveLength(before);
  });

  it('comes back after ever longer pauses', async () => {
    const socket = await connectSocket();
    socket.breaks();
    expect(connection.state.name).toBe('pausing');
    await pass(499);
    expect(sockets).toHaveLength(1);
    await pass(1);
    expect(sockets).toHaveLength(2);
    sockets[1]?.breaks();
    await pass(999);
    expect(sockets).toHaveLength(2);
    await pass(1);
    expect(sockets).toHaveLength(3);
    await connectAgain(2);
    sockets[2]?.breaks();
    await pass(500);
    expect(sockets).toHaveLength(4);
  });

  async function connectAgain(place: number): Promise<void> {
    sockets[place]?.opens();
    sockets[place]?.welcomes();
    await pass(0);
  }

  it('tries at once when the network is back', async () => {
    const socket = await connectSocket();
    socket.breaks();
    connection.hurry();
    expect(sockets).toHaveLength(2);
    await pass(5_000);
    expect(sockets).toHaveLength(2);
  });

  it('believes no socket from before the network was gone, but its channels', async () => {
    const socket = await connectSocket();
    connection.hurry();
    expect(socket.closed).toBe(true);
    expect(sockets).toHaveLength(2);
    sockets[1]?.opens();
    sockets[1]?.welcomes();
    const both = channels();
    connection.offer(both, true);
    both.opens();
    both.welcomes();
    connection.hurry();
    expect(both.closed).toBe(false);
    expect(sockets).toHaveLength(2);
  });

  it('gives up what doesn’t open, or doesn’t answer', async () => {
    connection.start();
    await pass(10_000);
    expect(sockets[0]?.closed).toBe(true);
    await pass(500);
    sockets[1]?.opens();
    await pass(10_000);
    expect(sockets[1]?.closed).toBe(true);
    expect(connection.state.name).toBe('pausing');
  });

  it('takes channels whose hello isn’t answered for dead', async () => {
    const both = channels();
    connection.offer(both, true);
    connection.start();
    both.opens();
    await pass(10_000);
    expect(both.closed).toBe(true);
    await pass(500);
    expect(sockets).toHaveLength(1);
  });

  it('asks no more when it is refused for good, until somebody wants it', async () => {
    connection.start();
    await pass(0);
    const [socket] = sockets;
    socket?.opens();
    socket?.says({ type: 'error', code: 'unauthorized', text: 'no' });
    socket?.breaks();
    await pass(600_000);
    expect(sockets).toHaveLength(1);
    expect(connection.state).toMatchObject({ name: 'refused', code: 'unauthorized' });
    connection.start();
    await pass(0);
    expect(sockets).toHaveLength(2);
  });

  it('stays where only something that was asked for is refused', async () => {
    const socket = await connectSocket();
    for (const code of ['forbidden', 'banned', 'slow', 'name_taken']) {
      socket.says({ type: 'error', code, text: 'no' });
    }
    expect(connection.state.name).toBe('ready');
    expect(socket.closed).toBe(false);
  });

  it('begins anew where a second hello is none', async () => {
    const socket = await connectSocket();
    socket.says({ type: 'error', code: 'hello_first', text: 'x' });
    expect(socket.closed).toBe(true);
    await pass(500);
    expect(sockets).toHaveLength(2);
  });

  it('says nothing more when it is stopped', async () => {
    const socket = await connectSocket();
    connection.stop();
    expect(socket.closed).toBe(true);
    await pass(600_000);
    expect(sockets).toHaveLength(1);
    expect(states).toEqual(['connecting', 'ready', 'off']);
  });
});
