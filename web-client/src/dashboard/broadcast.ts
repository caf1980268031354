import type { Recording } from '../vod/recording.ts';
import type { Audience } from './audience.ts';
import type { Client } from './client.ts';
import type { Broadcast, ChannelFacts, Source } from './node.ts';

/** After so long nothing more is told of a broadcast that is over. */
const SETTLED_MS = 60_000;

/** All of one broadcast; null: there's none. */
export interface BroadcastView {
  broadcast: Broadcast;
  channel: ChannelFacts | null;
  audience: Audience | null;
  /** While it's on air. */
  source: Source | null;
  /** Once it's over: until then the channel's page is where it's watched. */
  recording: Recording | null;
}

/** Asks for one broadcast again and again, until nothing more becomes of it. */
export class BroadcastReader {
  readonly #client: Client;
  readonly #id: string;
  #settled: BroadcastView | null = null;

  constructor(client: Client, id: string) {
    this.#client = client;
    this.#id = id;
  }

  /** Null: there's no such broadcast. */
  async ask(): Promise<BroadcastView | null> {
    if (this.#settled !== null) return this.#settled;
    const client = this.#client;
    const askedAt = Date.now();
    const broadcast = await client.broadcast(this.#id);
    if (broadcast === null) return null;
    const isOver = broadcast.endedAt !== null;
    const [audience, channel, source, recording] = await Promise.all([
      client.audience(broadcast.id),
      client.channel(broadcast.channel),
      isOver ? null : client.source(broadcast.channel),
      isOver ? client.recording(broadcast.id) : null,
    ]);
    const view = { broadcast, channel, audience, source, recording };
    if (settles(broadcast, recording, askedAt)) this.#settled = view;
    return view;
  }
}

/** Whether nothing more becomes of a broadcast by itself than what was known then. */
export function settles(
  { endedAt }: Broadcast,
  recording: Recording | null,
  knownAt: number,
): boolean {
  const isBeingMade = recording?.state === 'recording' || recording?.state === 'finishing';
  return !isBeingMade && endedAt !== null && knownAt - endedAt > SETTLED_MS;
}
