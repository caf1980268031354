import { backoffMs, type Pauses } from '../shared/backoff.ts';
import { parseFrame } from './parse.ts';
import type { ClientItem, ServerItem } from './protocol.ts';
import type { Transport } from './transport.ts';

/** How long data channels that are to come are waited for before a WebSocket is opened. */
const CHANNELS_MS = 4_000;
/** How long a WebSocket may take to open, and an answer to `hello`. */
const OPEN_MS = 10_000;
const WELCOME_MS = 10_000;

/** Between attempts: a conversation goes on meanwhile, so shorter ones than for a picture. */
const PAUSES: Pauses = { first: 500, longest: 8_000 };

/** Whether something can be said. */
export type LineState =
  | { name: 'off' }
  | { name: 'connecting' }
  | { name: 'ready'; over: Transport['kind'] }
  | { name: 'pausing'; attempt: number }
  /** Refused for good: nothing more happens by itself. */
  | { name: 'refused'; code: string; text: string };

export interface ConnectionPorts {
  openSocket: () => Transport;
  /** Who comes, and what it has already. */
  hello: () => ClientItem;
  onItems: (items: readonly ServerItem[]) => void;
  onState: (state: LineState) => void;
  random?: () => number;
}

/** Said of a hello, these are the end of it. */
const FINAL: readonly string[] = ['unauthorized', 'forbidden'];

/**
 * Keeps the chat connected over whatever there is: data channels that are `offer`ed, as soon as and as long as they are open; else a
 * WebSocket. On each it says hello, and tells what comes.
 *
 * `start` it, `offer` channels or say that there are none, and `stop` it in the end. `drop` what proves to be dead.
 */
export class ChatConnection {
  readonly #ports: ConnectionPorts;
  #state: LineState = { name: 'off' };
  /** What is offered and not known to be of no use. */
  #channels: Transport | null = null;
  /** Whether channels are to be had soon, and whether those that are offered are open. */
  #areComing = false;
  #areOpen = false;
  #socket: Transport | null = null;
  /** What is spoken through; null while there is nothing open. */
  #current: Transport | null = null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: ConnectionPorts) {
    this.#ports = ports;
  }

  get state(): LineState {
    return this.#state;
  }

  start(): void {
    if (this.#state.name !== 'off' && this.#state.name !== 'refused') return;
    this.#failures = 0;
    this.#become({ name: 'connecting' });
    if (this.#channels !== null && this.#areOpen) this.#use(this.#channels);
    else this.#openSoon();
  }

  /** Says hello anew on another transport: as somebody else, or because the last one proved dead. */
  drop(): void {
    if (!this.#isOn || this.#state.name === 'pausing') return;
    const isChannels = this.#current !== null && this.#current === this.#channels;
    this.#closeSocket();
    if (isChannels) this.#closeChannels();
    this.#current = null;
    this.#lost();
  }

  /** The network is back: there's no use in waiting, nor in a socket that may have died unseen. Channels notice that themselves. */
  hurry(): void {
    const isSocket = this.#current !== null && this.#current === this.#socket;
    if (this.#state.name !== 'pausing' && !isSocket) return;
    clearTimeout(this.#timer);
    this.#closeSocket();
    this.#openSocket();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#closeSocket();
    this.#closeChannels();
    this.#current = null;
    this.#become({ name: 'off' });
  }

  /** These are to be spoken through once they are open; null: there are none, nor will there be soon (unless `areComing`). */
  offer(channels: Transport | null, areComing = false): void {
    const wasCurrent = this.#current !== null && this.#current === this.#channels;
    this.#closeChannels();
    this.#channels = channels;
    this.#areComing = areComing;
    if (wasCurrent) this.#current = null;
    channels?.open({
      onOpen: () => {
        if (this.#channels === channels) this.#channelsOpened(channels);
      },
      onFrame: (frame) => {
        this.#take(channels, frame);
      },
      onClose: () => {
        if (this.#channels !== channels) return;
        this.#channels = null;
        if (this.#current === channels) {
          this.#current = null;
          this.#lost();
        }
      },
    });
    if (this.#isOn && this.#current === null && this.#socket === null) {
      this.#become({ name: 'connecting' });
      this.#openSoon();
    }
  }

  /** Gives false for what can't be said now. */
  say(item: ClientItem): boolean {
    return this.#state.name === 'ready' && (this.#current?.send(JSON.stringify(item)) ?? false);
  }

  /** For what may get lost. */
  sayLossy(item: ClientItem): boolean {
    return (
      this.#state.name === 'ready' && (this.#current?.sendLossy(JSON.stringify(item)) ?? false)
    );
  }

  get #isOn(): boolean {
    const { name } = this.#state;
    return name === 'connecting' || name === 'pausing' || name === 'ready';
  }

  #channelsOpened(channels: Transport): void {
    this.#areOpen = true;
    if (!this.#isOn) return;
    this.#closeSocket();
    this.#use(channels);
  }

  /** Opens a WebSocket, after a while if there may be channels. */
  #openSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#openSocket();
      },
      this.#areComing ? CHANNELS_MS : 0,
    );
  }

  #openSocket(): void {
    const socket = (this.#socket = this.#ports.openSocket());
    this.#become({ name: 'connecting' });
    this.#giveUpIn(OPEN_MS);
    socket.open({
      onOpen: () => {
        if (this.#socket === socket) this.#use(socket);
      },
      onFrame: (frame) => {
        this.#take(socket, frame);
      },
      onClose: () => {
        if (this.#socket !== socket) return;
        this.#socket = null;
        if (this.#current === socket) this.#current = null;
        this.#lost();
      },
    });
  }

  #use(transport: Transport): void {
    this.#current = transport;
    this.#become({ name: 'connecting' });
    this.#giveUpIn(WELCOME_MS);
    transport.send(JSON.stringify(this.#ports.hello()));
  }

  #take(transport: Transport | null, frame: string): void {
    if (transport === null || transport !== this.#current) return;
    const items = parseFrame(frame);
    if (items.length === 0) return;
    const isWelcome = items.some(({ type }) => type === 'welcome');
    if (isWelcome) {
      clearTimeout(this.#timer);
      this.#failures = 0;
      this.#become({ name: 'ready', over: transport.kind });
    }
    this.#ports.onItems(items);
    for (const item of items) {
      if (item.type === 'error' && this.#current === transport) this.#refused(item.code, item.text);
    }
  }

  #refused(code: string, text: string): void {
    if (FINAL.includes(code) && this.#state.name !== 'ready') {
      this.stop();
      this.#become({ name: 'refused', code, text });
    } else if (code === 'hello_first') {
      this.drop();
    }
  }

  #lost(): void {
    clearTimeout(this.#timer);
    if (!this.#isOn) return;
    this.#failures += 1;
    this.#become({ name: 'pausing', attempt: this.#failures });
    const ms = backoffMs(this.#failures, null, this.#ports.random ?? Math.random, PAUSES);
    this.#timer = setTimeout(() => {
      this.#openSocket();
    }, ms);
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.drop();
    }, ms);
  }

  #closeSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (this.#current === socket) this.#current = null;
    socket?.close();
  }

  #closeChannels(): void {
    const channels = this.#channels;
    this.#channels = null;
    this.#areOpen = false;
    channels?.close();
  }

  #become(state: LineState): void {
    this.#state = state;
    this.#ports.onState(state);
  }
}
