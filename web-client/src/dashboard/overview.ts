import type { Recording } from '../vod/recording.ts';
import type { Audience } from './audience.ts';
import { settles } from './broadcast.ts';
import type { Client } from './client.ts';
import type { Broadcast, ChannelFacts, NodeFacts, Sidecar, Source } from './node.ts';

/** How many broadcasts that are over are listed. */
const PAST = 12;
/** How many of those on air are shown. */
const MAX_LIVE = 100;
/** Of how many channels the figures are asked for at a time: the others' turn comes next. */
const LIVE_AT_A_TIME = 8;
/** Pages of broadcasts in which those on air are looked for. */
const A_PAGE = 100;
const MAX_PAGES = 5;

/** A broadcast on air with its figures; undefined: not asked for yet, null: there are none. */
export interface LiveBroadcast {
  broadcast: Broadcast;
  channel: ChannelFacts | null | undefined;
  audience: Audience | null | undefined;
  source: Source | null | undefined;
}

/** A broadcast that is over. */
export interface PastBroadcast {
  broadcast: Broadcast;
  audience: Audience | null | undefined;
  recording: Recording | null | undefined;
}

/** What the first page shows. */
export interface Overview {
  node: NodeFacts;
  sidecars: Sidecar[];
  live: LiveBroadcast[];
  past: PastBroadcast[];
}

interface Detail {
  askedAt: number;
  live: Omit<LiveBroadcast, 'broadcast'>;
}

interface PastDetail {
  /** Nothing more will become of it by itself. */
  isSettled: boolean;
  past: Omit<PastBroadcast, 'broadcast'>;
}

const NOTHING: Detail['live'] = { channel: undefined, audience: undefined, source: undefined };

/**
 * Asks for what the first page shows, and remembers what needn't be asked for each time: `ask` each time, with what is to be told
 * as soon as something is known.
 */
export class OverviewReader {
  readonly #client: Client;
  #details = new Map<string, Detail>();
  #past = new Map<string, PastDetail>();

  constructor(client: Client) {
    this.#client = client;
  }

  async ask(onKnown: (overview: Overview) => void): Promise<void> {
    // One question first: who may not ask this may ask nothing.
    const node = await this.#client.node();
    const [sidecars, lists] = await Promise.all([
      this.#client.sidecars(),
      this.#readLists(node.liveChannels),
    ]);
    this.#forget(lists);
    const tell = (): void => {
      onKnown({
        node,
        sidecars,
        live: lists.live.map((broadcast) => this.#liveOf(broadcast)),
        past: lists.past.map((broadcast) => this.#pastOf(broadcast)),
      });
    };
    tell();
    const answers = await Promise.allSettled([
      ...this.#nextTurn(lists.live).map((broadcast) => this.#askLive(broadcast)),
      ...lists.past.map((broadcast) => this.#askPast(broadcast)),
    ]);
    tell();
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  /** The latest first; one that has been on air for long is looked for among older ones. */
  async #readLists(onAir: number): Promise<{ live: Broadcast[]; past: Broadcast[] }> {
    const live: Broadcast[] = [];
    const past: Broadcast[] = [];
    const wanted = Math.min(onAir, MAX_LIVE);
    let after: string | null = null;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { broadcasts, next } = await this.#client.broadcasts(A_PAGE, after);
      for (const broadcast of broadcasts) {
        (broadcast.endedAt === null ? live : past).push(broadcast);
      }
      if (next === null || (live.length >= wanted && past.length >= PAST)) break;
      after = next;
    }
    return { live: live.slice(0, MAX_LIVE), past: past.slice(0, PAST) };
  }

  #forget({ live, past }: { live: Broadcast[]; past: Broadcast[] }): void {
    const [onAir, over] = [new Set(live.map(({ id }) => id)), new Set(past.map(({ id }) => id))];
    this.#details = new Map([...this.#details].filter(([id]) => onAir.has(id)));
    this.#past = new Map([...this.#past].filter(([id]) => over.has(id)));
  }

  #liveOf(broadcast: Broadcast): LiveBroadcast {
    return { broadcast, ...(this.#details.get(broadcast.id)?.live ?? NOTHING) };
  }

  #pastOf(broadcast: Broadcast): PastBroadcast {
    const known = this.#past.get(broadcast.id)?.past;
    return { broadcast, audience: known?.audience, recording: known?.recording };
  }

  /** Those whose figures are the oldest. */
  #nextTurn(live: readonly Broadcast[]): Broadcast[] {
    const askedAt = ({ id }: Broadcast): number => this.#details.get(id)?.askedAt ?? -Infinity;
    return [...live].sort((a, b) => askedAt(a) - askedAt(b)).slice(0, LIVE_AT_A_TIME);
  }

  async #askLive({ id, channel }: Broadcast): Promise<void> {
    // One that fails has had its turn all the same.
    const known = this.#details.get(id)?.live ?? NOTHING;
    this.#details.set(id, { askedAt: performance.now(), live: known });
    const [facts, audience, source] = await Promise.all([
      this.#client.channel(channel),
      this.#client.audience(id),
      this.#client.source(channel),
    ]);
    const live = { channel: facts, audience, source };
    this.#details.set(id, { askedAt: performance.now(), live });
  }

  async #askPast(broadcast: Broadcast): Promise<void> {
    const { id } = broadcast;
    if (this.#past.get(id)?.isSettled === true) return;
    const askedAt = Date.now();
    const [audience, recording] = await Promise.all([
      this.#client.audience(id),
      this.#client.recording(id),
    ]);
    const isSettled = settles(broadcast, recording, askedAt);
    this.#past.set(id, { isSettled, past: { audience, recording } });
  }
}
