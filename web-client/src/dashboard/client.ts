import { getJson } from '../shared/http.ts';
import { toProblem } from '../shared/problem.ts';
import { parseRecording, type Recording } from '../vod/recording.ts';
import { parseAudience, type Audience } from './audience.ts';
import {
  parseBroadcast,
  parseBroadcasts,
  parseChannel,
  parseNode,
  parseSessions,
  parseSidecars,
  parseSource,
  type Broadcast,
  type BroadcastPage,
  type ChannelFacts,
  type NodeFacts,
  type Sidecar,
  type Source,
} from './node.ts';

/** How many sessions of a channel are looked through for its publisher's, and how many publishers are remembered. */
const SESSIONS_A_PAGE = 200;
const MAX_SESSION_PAGES = 5;
const MAX_PUBLISHERS = 1_000;

/** Gets JSON with a token. */
export type Get = (path: string, token: string) => Promise<unknown>;

/** Asks the node's API, as an administrator. */
export class Client {
  readonly #token: () => string;
  readonly #get: Get;
  /** The publisher's session of each channel, so that it's looked for once. */
  readonly #publishers = new Map<string, string>();

  constructor(token: () => string, get: Get = getJson) {
    this.#token = token;
    this.#get = get;
  }

  async node(): Promise<NodeFacts> {
    return parseNode(await this.#ask('/api/v1/node'));
  }

  async sidecars(): Promise<Sidecar[]> {
    return parseSidecars(await this.#ask('/api/v1/sidecars'));
  }

  /** The latest first. */
  async broadcasts(limit: number, after: string | null): Promise<BroadcastPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(after !== null && { after }) });
    return parseBroadcasts(await this.#ask(`/api/v1/broadcasts?${query.toString()}`));
  }

  /** Null: there's none. */
  async broadcast(id: string): Promise<Broadcast | null> {
    const body = await orNone(this.#ask(`/api/v1/broadcasts/${encodeURIComponent(id)}`));
    return body === null ? null : parseBroadcast(body);
  }

  /** Null: it was deleted. */
  async channel(name: string): Promise<ChannelFacts | null> {
    const body = await orNone(this.#ask(`/api/v1/channels/${encodeURIComponent(name)}`));
    return body === null ? null : parseChannel(body);
  }

  /** Null: nothing is kept of it. */
  async audience(broadcast: string): Promise<Audience | null> {
    const path = `/api/v1/broadcasts/${encodeURIComponent(broadcast)}/audience`;
    const body = await orNone(this.#ask(path));
    return body === null ? null : parseAudience(body);
  }

  /** Null: there's none. */
  async recording(broadcast: string): Promise<Recording | null> {
    const path = `/api/v1/recordings/${encodeURIComponent(broadcast)}`;
    const body = await orNone(this.#ask(path));
    return body === null ? null : parseRecording(body, location.origin);
  }

  /** What a channel's publisher sends; null: it has none, or none was found among those who watch. */
  async source(channel: string): Promise<Source | null> {
    const known = this.#publishers.get(channel);
    if (known !== undefined) {
      const body = await orNone(this.#ask(`/api/v1/sessions/${encodeURIComponent(known)}`));
      if (body !== null) return parseSource(body);
      this.#publishers.delete(channel);
    }
    const found = await this.#findSource(channel);
    if (this.#publishers.size >= MAX_PUBLISHERS) this.#publishers.clear();
    if (found !== null) this.#publishers.set(channel, found.session);
    return found;
  }

  async #findSource(channel: string): Promise<Source | null> {
    let after: string | null = null;
    for (let page = 0; page < MAX_SESSION_PAGES; page += 1) {
      const query = new URLSearchParams({ channel, limit: String(SESSIONS_A_PAGE) });
      if (after !== null) query.set('after', after);
      const { source, next } = parseSessions(
        await this.#ask(`/api/v1/sessions?${query.toString()}`),
      );
      if (source !== null || next === null) return source;
      after = next;
    }
    return null;
  }

  #ask(path: string): Promise<unknown> {
    return this.#get(path, this.#token());
  }
}

/** Null for what the node doesn't have; all else that goes wrong is thrown. */
async function orNone(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (toProblem(error).status === 404) return null;
    throw error;
  }
}
