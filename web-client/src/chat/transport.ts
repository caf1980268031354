import type { ChatChannels } from '../shared/chat-channels.ts';

/** What becomes of a transport. */
export interface TransportEvents {
  onOpen: () => void;
  onFrame: (frame: string) => void;
  /** It carries nothing any more. Not after `close`. */
  onClose: () => void;
}

/** What the chat speaks through: it's opened once, and closed in the end. */
export interface Transport {
  readonly kind: 'data-channels' | 'web-socket';
  open: (events: TransportEvents) => void;
  /** Gives false for what it can't carry now: it isn't open, or more waits to be sent than may. */
  send: (frame: string) => boolean;
  /** What may get lost rather than be late. */
  sendLossy: (frame: string) => boolean;
  close: () => void;
}

/** More than that isn't left waiting in a browser's buffer, in bytes. */
const MAX_WAITING = 64 * 1024;

export class DataChannels implements Transport {
  readonly kind = 'data-channels';
  readonly #channels: ChatChannels;
  readonly #abort = new AbortController();

  constructor(channels: ChatChannels) {
    this.#channels = channels;
  }

  open(events: TransportEvents): void {
    const { chat, reactions } = this.#channels;
    const { signal } = this.#abort;
    for (const channel of [chat, reactions]) {
      channel.addEventListener(
        'message',
        ({ data }: MessageEvent<unknown>) => {
          if (typeof data === 'string') events.onFrame(data);
        },
        { signal },
      );
    }
    const ended = (): void => {
      this.#abort.abort();
      events.onClose();
    };
    chat.addEventListener('open', events.onOpen, { signal });
    chat.addEventListener('close', ended, { signal });
    if (chat.readyState === 'open') events.onOpen();
    else if (chat.readyState !== 'connecting') ended();
  }

  send(frame: string): boolean {
    return sendThrough(this.#channels.chat, frame);
  }

  sendLossy(frame: string): boolean {
    return sendThrough(this.#channels.reactions, frame) || this.send(frame);
  }

  close(): void {
    this.#abort.abort();
    this.#channels.chat.close();
    this.#channels.reactions.close();
  }
}

function sendThrough(channel: RTCDataChannel, frame: string): boolean {
  if (channel.readyState !== 'open' || channel.bufferedAmount > MAX_WAITING) return false;
  try {
    channel.send(frame);
    return true;
  } catch {
    // It closed this very moment.
    return false;
  }
}

export class ChatSocket implements Transport {
  readonly kind = 'web-socket';
  readonly #url: string;
  readonly #abort = new AbortController();
  #socket: WebSocket | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  open(events: TransportEvents): void {
    const { signal } = this.#abort;
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.addEventListener('open', events.onOpen, { signal });
    socket.addEventListener(
      'message',
      ({ data }: MessageEvent<unknown>) => {
        if (typeof data === 'string') events.onFrame(data);
      },
      { signal },
    );
    // An error is always followed by this.
    socket.addEventListener(
      'close',
      () => {
        this.#abort.abort();
        events.onClose();
      },
      { signal },
    );
  }

  send(frame: string): boolean {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN || socket.bufferedAmount > MAX_WAITING) return false;
    socket.send(frame);
    return true;
  }

  sendLossy(frame: string): boolean {
    return this.send(frame);
  }

  close(): void {
    this.#abort.abort();
    this.#socket?.close();
  }
}

/** Where a channel's chat is spoken with over a WebSocket. */
export function chatUrl(origin: string, channel: string): string {
  const url = new URL(`/api/v1/channels/${encodeURIComponent(channel)}/chat`, origin);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
