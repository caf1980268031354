import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chat } from './chat.ts';
import { FakeServer, type FakeTransport } from './fake-server.ts';

let server: FakeServer;
let sockets: FakeTransport[];
let picture: number | null;
let floated: [string, number][];
let refusals: string[];
const memory = { name: '', identity: '' };

function makeChat(): Chat {
  return new Chat({
    openSocket: () => {
      const socket = server.connect('web-socket');
      sockets.push(socket);
      return socket;
    },
    memory,
    token: () => '',
    picture: () => picture,
    onChange: () => undefined,
    onReaction: (emoji, count) => floated.push([emoji, count]),
    onRefusal: (text) => refusals.push(text),
  });
}

let chat: Chat;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  sockets = [];
  picture = null;
  floated = [];
  refusals = [];
  Object.assign(memory, { name: '', identity: '' });
  chat = makeChat();
});

afterEach(() => {
  chat.stop();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const socket = () => {
  const latest = sockets.at(-1);
  if (latest === undefined) throw new Error('No socket was opened.');
  return latest;
};
const texts = () => chat.lines.map(({ entry }) => (entry.type === 'message' ? entry.text : ''));

async function start(): Promise<void> {
  chat.start();
  await pass(100);
}

describe('Chat', () => {
  it('shows what was said before, and what is said then', async () => {
    server.say('one');
    await start();
    server.say('two');
    await pass(50);
    expect(texts()).toEqual(['one', 'two']);
    expect(chat.state).toEqual({ name: 'ready', over: 'web-socket' });
  });

  it('remembers who one is, and says so', async () => {
    memory.name = 'Ada';
    await start();
    expect(server.heard[0]).toEqual({ type: 'hello', name: 'Ada' });
    expect(memory.identity).toBe('who');
    socket().breaks();
    await pass(1_000);
    expect(server.heard.at(-1)).toMatchObject({ type: 'hello', identity: 'who' });
  });

  it('knows since when it can say something, and says how the player does then only', async () => {
    const report = { player: 'hls', played_ms: 10_000, stalled_ms: 0, stalls: 0 } as const;
    expect([chat.readyAt, chat.report(report)]).toEqual([null, false]);
    await start();
    const readyAt = chat.readyAt;
    await pass(60_000);
    expect(readyAt).not.toBeNull();
    expect([chat.readyAt, chat.report(report)]).toEqual([readyAt, true]);
    expect(server.heard.at(-1)).toEqual({ type: 'report', ...report });
    socket().breaks();
    expect([chat.readyAt, chat.report(report)]).toEqual([null, false]);
    await pass(2_000);
    expect(chat.readyAt).toBeGreaterThan(readyAt ?? Infinity);
  });

  it('shows one’s own at once, as pending, and then as the log has it', async () => {
    await start();
    server.isDeaf = true;
    expect(chat.send('hello')).toBe(true);
    expect(chat.lines).toMatchObject([{ isPending: true, entry: { text: 'hello' } }]);
    server.isDeaf = false;
    const said = server.heard.at(-1);
    if (said !== undefined) server.hear(said, socket());
    await pass(50);
    expect(chat.lines).toMatchObject([{ isPending: false, entry: { text: 'hello', seq: 1 } }]);
  });

  it('misses and doubles nothing over a connection that is cut off', async () => {
    await start();
    server.say('one');
    chat.send('mine');
    await pass(50);
    socket().isLost = true;
    server.open.clear();
    chat.send('lost on its way');
    for (let i = 0; i < 120; i += 1) server.say(`text ${i}`);
    await pass(10_000);
    socket().breaks();
    await pass(2_000);
    server.say('after');
    await pass(100);
    const seqs = chat.lines.map(({ entry }) => entry.seq);
    expect(seqs).toEqual(Array.from({ length: server.log.length }, (_, i) => i + 1));
    expect(texts().filter((text) => text === 'lost on its way')).toHaveLength(1);
    expect(server.heard.at(-1)).toMatchObject({ text: 'lost on its way' });
  });

  it('says at once what was lost, when it is connected again', async () => {
    await start();
    socket().isLost = true;
    chat.send('lost');
    expect(server.log).toHaveLength(0);
    socket().breaks();
    await pass(1_000);
    expect(server.log).toHaveLength(1);
  });

  it('says it again where it was heard, but the answer got lost', async () => {
    await start();
    chat.send('once');
    const { id } = server.heard.at(-1) ?? {};
    await pass(50);
    expect(texts()).toEqual(['once']);
    // The same, with the answer lost.
    server.isDeaf = true;
    chat.send('twice');
    const again = server.heard.at(-1);
    server.isDeaf = false;
    server.open.clear();
    if (again !== undefined) server.hear(again, socket());
    socket().breaks();
    await pass(2_000);
    expect(texts()).toEqual(['once', 'twice']);
    expect(chat.lines.every(({ isPending }) => !isPending)).toBe(true);
    expect(server.log.map((entry) => entry.id)).toEqual([id, again?.id]);
  });

  it('takes a connection for dead on which nothing is answered', async () => {
    await start();
    server.isDeaf = true;
    chat.send('hello?');
    await pass(11_000);
    expect(sockets).toHaveLength(2);
    server.isDeaf = false;
    await pass(13_000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(texts()).toEqual(['hello?']);
    expect(server.log).toHaveLength(1);
  });

  it('goes from one way to the other without missing anything', async () => {
    await start();
    server.say('over the socket');
    const channels = server.connect('data-channels');
    await pass(20);
    chat.offer(channels, true);
    server.say('just before');
    await pass(20);
    server.say('over the channels');
    await pass(20);
    expect(chat.state).toMatchObject({ over: 'data-channels' });
    chat.offer(null);
    server.say('between');
    await pass(100);
    server.say('over the socket again');
    await pass(100);
    expect(texts()).toEqual([
      'over the socket',
      'just before',
      'over the channels',
      'between',
      'over the socket again',
    ]);
    const hellos = server.heard.filter(({ type }) => type === 'hello');
    expect(hellos.map(({ after, identity }) => [after, identity])).toEqual([
      [undefined, undefined],
      [2, 'who'],
      [3, 'who'],
    ]);
  });

  it('shows each message when the picture gets there, in order', async () => {
    server.startedAt = Date.now() - 60_000;
    picture = 56_000;
    await start();
    server.say('late', { at: 60_000 });
    server.say('of an earlier picture', { at: 57_000 });
    const shownAt = new Map<string, number>();
    for (let i = 0; i < 100; i += 1) {
      picture = 56_000 + i * 50;
      await pass(50);
      for (const text of texts()) if (!shownAt.has(text)) shownAt.set(text, picture);
    }
    expect([...shownAt.keys()]).toEqual(['late', 'of an earlier picture']);
    for (const at of shownAt.values()) {
      expect(at).toBeGreaterThanOrEqual(60_000);
      expect(at).toBeLessThanOrEqual(60_100);
    }
  });

  it('waits 5 s without a picture, but not for what was said long ago', async () => {
    server.startedAt = Date.now() - 60_000;
    server.say('long ago', { at: 30_000 });
    server.say('just now', { at: 58_000 });
    await start();
    expect(texts()).toEqual(['long ago']);
    await pass(2_950);
    expect(texts()).toEqual(['long ago', 'just now']);
    server.say('now');
    await pass(4_900);
    expect(texts()).toHaveLength(2);
    await pass(200);
    expect(texts()).toHaveLength(3);
  });

  it('keeps nothing from those who moderate without a picture', async () => {
    server.startedAt = Date.now() - 60_000;
    server.rights = { write: true, moderate: true, stream: false };
    await start();
    server.say('now');
    await pass(100);
    expect(texts()).toEqual(['now']);
  });

  it('waits for no stream time of a broadcast that is over', async () => {
    server.startedAt = Date.now() - 3_600_000;
    server.say('before', { at: 3_599_000 });
    vi.setSystemTime(Date.now() + 60_000);
    server.startedAt = Date.now() - 1_000;
    picture = 900;
    await start();
    server.say('of this one', { at: 950 });
    picture = 960;
    await pass(50);
    expect(texts()).toEqual(['before', 'of this one']);
  });

  it('goes on with the next broadcast’s stream time', async () => {
    server.startedAt = Date.now() - 3_600_000;
    picture = 3_599_000;
    await start();
    server.say('at the end', { at: 3_600_100 });
    await pass(50);
    expect(texts()).toEqual([]);
    server.startedAt = Date.now();
    const broadcast = { id: 'c', started_at: server.startedAt, now: 0 };
    server.tell({ type: 'broadcast', broadcast });
    picture = 0;
    server.say('at the beginning', { at: 60 });
    await pass(100);
    expect(texts()).toEqual(['at the end']);
    picture = 60;
    await pass(50);
    expect(texts()).toEqual(['at the end', 'at the beginning']);
  });

  it('tells of which picture one speaks', async () => {
    server.startedAt = Date.now() - 60_000;
    await start();
    picture = 57_123.4;
    chat.send('that');
    expect(server.heard.at(-1)).toMatchObject({ text: 'that', at: 57_123 });
    picture = null;
    chat.send('now');
    expect(server.heard.at(-1)).toMatchObject({ text: 'now', at: 60_099 });
  });

  it('keeps what was refused until its author has decided', async () => {
    await start();
    chat.send('spam');
    await pass(20_000);
    const [line] = chat.lines;
    expect(line?.refused).toMatch(/word/);
    expect(sockets).toHaveLength(1);
    if (line?.entry.type === 'message') chat.discard(line.entry.id);
    expect(chat.lines).toEqual([]);
  });

  it('waits in slow mode, but for those who keep order', async () => {
    server.slowS = 10;
    await start();
    expect(chat.send('one')).toBe(true);
    expect(chat.send('two')).toBe(false);
    expect(chat.slowMs).toBe(10_000);
    await pass(10_000);
    expect(chat.send('two')).toBe(true);
    server.rights = { write: true, moderate: true, stream: false };
    chat.renew();
    await pass(2_000);
    await pass(10_000);
    expect(chat.send('three')).toBe(true);
    expect(chat.send('four')).toBe(true);
  });

  it('floats others’ reactions with the picture, and one’s own but once', async () => {
    server.startedAt = Date.now() - 60_000;
    picture = 56_000;
    await start();
    chat.tap('❤️');
    chat.tap('❤️');
    await pass(300);
    expect(server.heard.filter(({ type }) => type === 'reaction')).toEqual([
      { type: 'reaction', emoji: '❤️', count: 2 },
    ]);
    server.tell({ type: 'reactions', counts: { '❤️': 5 }, at: 57_000 });
    await pass(100);
    expect(floated).toEqual([]);
    picture = 57_000;
    await pass(50);
    expect(floated).toEqual([['❤️', 3]]);
  });

  it('asks anew for what has a gap', async () => {
    await start();
    server.say('one');
    server.log.push({ ...server.log[0], seq: 2, id: 'g2', text: 'two' });
    server.say('three');
    await pass(50);
    expect(texts()).toEqual(['one']);
    await pass(2_000);
    expect(texts()).toEqual(['one', 'two', 'three']);
  });

  it('is called what the server says', async () => {
    await start();
    chat.rename('Ada L.');
    expect(server.heard.at(-1)).toEqual({ type: 'rename', name: 'Ada L.' });
    server.tell({ type: 'renamed', name: 'Ada L.' });
    await pass(50);
    expect([chat.name, memory.name]).toEqual(['Ada L.', 'Ada L.']);
    chat.rename('Grace');
    server.tell({ type: 'error', code: 'name_taken', text: '' });
    await pass(50);
    expect([chat.name, memory.name]).toEqual(['Ada L.', 'Ada L.']);
    expect(refusals).toEqual(['Somebody else has that name.']);
  });

  it('keeps the name that it wants when it’s told again what it is called', async () => {
    await start();
    memory.name = 'Ada';
    server.tell({ type: 'renamed', name: chat.name });
    await pass(50);
    expect(memory.name).toBe('Ada');
  });

  it('tells why something can’t be done', async () => {
    await start();
    chat.moderate({ kind: 'delete', seq: 1 });
    server.tell({ type: 'error', code: 'forbidden', id: 'm1', text: '' });
    await pass(50);
    expect(refusals).toEqual(['You may not do that here.']);
  });
});
