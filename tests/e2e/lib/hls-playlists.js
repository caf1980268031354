import { sleep } from './wait.js';

/** A part lasts at least this share of its target, unless it is its segment's last (RFC 8216bis §4.4.4.9). */
const LEAST_SHARE = 0.85;
/** Half of how long parts stay in a playlist at least: three target durations of two seconds. */
const EVERY_MS = 3_000;
/** What seconds with three decimals are off by. */
const ROUNDED_S = 0.0006;

/** A media playlist's part target, parts and segments: `parts` are those of whole segments and of the one that grows. */
export function readMediaPlaylist(text) {
  const target = Number(text.match(/^#EXT-X-PART-INF:PART-TARGET=([\d.]+)/m)?.[1]);
  const segments = [];
  let parts = [];
  for (const line of text.split('\n')) {
    const part = line.match(/^#EXT-X-PART:(.*)$/)?.[1];
    if (part !== undefined) {
      const [, duration] = part.match(/DURATION=([\d.]+)/);
      const [, uri] = part.match(/URI="([^"]+)"/);
      parts.push({ duration: Number(duration), uri });
    } else if (line !== '' && !line.startsWith('#')) {
      segments.push({ uri: line, parts });
      parts = [];
    }
  }
  const init = text.match(/^#EXT-X-MAP:URI="([^"]+)"/gm)?.at(-1);
  return { target, segments, growing: parts, init: init?.match(/"([^"]+)"/)[1] };
}

/** Reads media playlists beside a player, and holds their parts to the rules on lengths. */
export class PartsWatch {
  #stopped = false;
  #running;
  /** By URI: what is wrong with a part. */
  wrong = new Map();
  #seen = new Set();
  #last = new Map();
  /** Segment numbers that went back, and requests that failed. */
  troubles = [];

  /** @param {() => string[]} urls of media playlists; asked for anew each time */
  constructor(urls) {
    this.#running = this.#run(urls);
  }

  /** Parts that were looked at. */
  get count() {
    return this.#seen.size;
  }

  async stop() {
    this.#stopped = true;
    await this.#running;
  }

  async #run(urls) {
    while (!this.#stopped) {
      for (const url of urls()) await this.#look(url);
      for (let waited = 0; waited < EVERY_MS && !this.#stopped; waited += 250) await sleep(250);
    }
  }

  async #look(url) {
    const response = await fetch(url).catch((error) => ({ ok: false, status: error.message }));
    if (!response.ok) {
      this.troubles.push(`${url}: ${response.status}`);
      return;
    }
    const { target, segments, growing } = readMediaPlaylist(await response.text());
    const number = Number.parseInt(segments[0]?.uri ?? '0', 10);
    if (number < (this.#last.get(url) ?? 0)) this.troubles.push(`${url}: went back to ${number}`);
    this.#last.set(url, number);
    for (const { parts } of segments) {
      parts.forEach((part, i) => this.#judge(url, part, target, i + 1 === parts.length));
    }
    // The last one may end its segment.
    growing.slice(0, -1).forEach((part) => this.#judge(url, part, target, false));
  }

  #judge(url, { uri, duration }, target, isLast) {
    const name = `${url.replace(/index\.m3u8$/, '')}${uri}`;
    this.#seen.add(name);
    const tooShort = !isLast && duration < target * LEAST_SHARE - ROUNDED_S;
    if (tooShort || duration > target + ROUNDED_S)
      this.wrong.set(name, `${duration} s of ${target} s`);
  }
}
