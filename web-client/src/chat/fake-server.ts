import type { Transport, TransportEvents } from './transport.ts';

export interface Said {
  type: string;
  id?: string;
  text?: string;
  after?: number;
  identity?: string;
  name?: string;
  emoji?: string;
  count?: number;
}

/** For tests: a server that keeps a log, and answers as the real one does. */
export class FakeServer {
  readonly log: Record<string, unknown>[] = [];
  readonly heard: Said[] = [];
  readonly open = new Set<FakeTransport>();
  startedAt: number | null = null;
  rights = { write: true, moderate: false, stream: false };
  slowS = 0;
  /** Takes what is said, and answers nothing. */
  isDeaf = false;

  connect(kind: Transport['kind']): FakeTransport {
    return new FakeTransport(kind, this);
  }

  get streamTime(): number | null {
    return this.startedAt === null ? null : Date.now() - this.startedAt;
  }

  add(entry: Record<string, unknown>): number {
    const seq = this.log.length + 1;
    const placed = { seq, at: this.streamTime, time: Date.now(), ...entry };
    this.log.push(placed);
    this.tell(placed);
    return seq;
  }

  say(text: string, more: Record<string, unknown> = {}): number {
    const author = { id: 'g', name: 'Grace', role: 'viewer' };
    return this.add({ type: 'message', id: `g${this.log.length}`, author, text, ...more });
  }

  tell(...items: unknown[]): void {
    for (const transport of this.open) transport.gets(items);
  }

  hear(said: Said, from: FakeTransport): void {
    this.heard.push(said);
    if (this.isDeaf) return;
    if (said.type === 'hello') this.#welcome(said, from);
    else if (said.type === 'message') this.#message(said, from);
  }

  #welcome({ after }: Said, to: FakeTransport): void {
    this.open.add(to);
    to.gets([
      {
        type: 'welcome',
        author: { id: 'a', name: 'Ada', role: 'viewer' },
        identity: 'who',
        rights: this.rights,
        rules: { slow_s: this.slowS },
        reactions: ['❤️'],
        broadcast:
          this.startedAt === null
            ? null
            : { id: 'b', started_at: this.startedAt, now: this.streamTime },
        last: this.log.length,
        pinned: null,
        goal: null,
        following: false,
      },
      ...this.log.slice(after ?? Math.max(0, this.log.length - 50)),
    ]);
  }

  #message({ id, text }: Said, from: FakeTransport): void {
    const author = { id: 'a', name: 'Ada', role: 'viewer' };
    const known = this.log.findIndex((entry) => entry.id === id);
    if (known >= 0) from.gets([{ type: 'stored', id, seq: known + 1 }]);
    else if (text === 'spam') from.gets([{ type: 'error', code: 'filtered', id, text: '' }]);
    else this.add({ type: 'message', id, author, text });
  }
}

export class FakeTransport implements Transport {
  events: TransportEvents | null = null;
  isLost = false;
  constructor(
    readonly kind: Transport['kind'],
    readonly server: FakeServer,
  ) {}
  open(events: TransportEvents): void {
    this.events = events;
    setTimeout(() => {
      if (this.events === events) events.onOpen();
    }, 10);
  }
  send(frame: string): boolean {
    if (!this.isLost) this.server.hear(JSON.parse(frame) as Said, this);
    return true;
  }
  sendLossy(frame: string): boolean {
    return this.send(frame);
  }
  /** Frames come one after the other, none while another one is taken. */
  gets(items: unknown[]): void {
    if (this.isLost) return;
    const frame = JSON.stringify(items);
    setTimeout(() => this.events?.onFrame(frame), 1);
  }
  close(): void {
    this.server.open.delete(this);
    this.events = null;
  }
  breaks(): void {
    const { events } = this;
    this.close();
    events?.onClose();
  }
}
