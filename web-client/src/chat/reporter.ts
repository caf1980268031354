import type { Report } from './protocol.ts';
import { Viewing, type Sample } from './report.ts';

/** How often it's told how the player does. */
const REPORT_MS = 10_000;
/** Less than that waits for the next report, unless there may be none. */
const LEAST_MS = 1_000;
/** The node believes a report in the chat of no more time than its connection is old, and of that. */
const CREDIT_MS = 1_000;
/** What took longer than that wasn't waited for. */
const MAX_STARTUP_MS = 600_000;

export interface ReporterPorts {
  /** How the player does; null: there's none. */
  sample: () => Sample | null;
  /** When the first picture of the page was there; null before it. Times are of `performance.now()`. */
  pictureAt: () => number | null;
  /** When the broadcast began, which nobody could see before; null if that isn't known. */
  broadcastAt: () => number | null;
  /** Since when something can be said in the chat; null: it can't now. */
  readyAt: () => number | null;
  /** Says it in the chat; false: it can't be said after all. */
  say: (report: Report) => boolean;
  /** Sends what outlives the page. */
  send: (report: Report) => void;
}

/**
 * Tells how the player does: `look` about once a second, `flush` when the page is hidden or another player takes over, and `leave`
 * when the page is left. What was told once isn't told again, whichever way it went.
 */
export class Reporter {
  readonly #ports: ReporterPorts;
  readonly #viewing = new Viewing();
  #toldAt: number;
  #isJoined = false;

  constructor(ports: ReporterPorts, now: number) {
    this.#ports = ports;
    this.#toldAt = now;
  }

  look(now: number): void {
    this.#observe(now);
    if (now - this.#toldAt < REPORT_MS) return;
    const report = this.#take(now);
    if (report === null) return;
    const isSaid = this.#isBelieved(report, now) && this.#ports.say(report);
    if (!isSaid) this.#ports.send(report);
  }

  /** A page that is hidden may never be seen again, nor told that it ends; and a report is of one player. */
  flush(now: number): void {
    this.#observe(now);
    if (this.#viewing.seenMs >= LEAST_MS) this.#send(now);
  }

  /** The page may come back; meanwhile nothing is seen. The chat's connection goes with it. */
  leave(now: number): void {
    this.#observe(now);
    this.#viewing.pause();
    this.#send(now);
  }

  /** What is seen isn't told yet: what the chat is told last, before a page goes, may not leave it any more. */
  #observe(now: number): void {
    const sample = this.#ports.sample();
    if (sample !== null) this.#viewing.observe(now, sample);
  }

  #isBelieved({ played_ms, stalled_ms }: Report, now: number): boolean {
    const readyAt = this.#ports.readyAt();
    return readyAt !== null && played_ms + stalled_ms <= now - readyAt + CREDIT_MS;
  }

  #send(now: number): void {
    const report = this.#take(now);
    if (report !== null) this.#ports.send(report);
  }

  #take(now: number): Report | null {
    this.#toldAt = now;
    const report = this.#viewing.take();
    const startup = this.#isJoined ? null : this.#startup;
    if (report === null || startup === null) return report;
    this.#isJoined = true;
    return { ...report, startup_ms: startup };
  }

  /** Who was there first waited for the broadcast, not for the picture. */
  get #startup(): number | null {
    const at = this.#ports.pictureAt();
    if (at === null) return null;
    const broadcastAt = this.#ports.broadcastAt() ?? 0;
    const wishedAt = broadcastAt > at ? 0 : Math.max(0, broadcastAt);
    return Math.min(Math.round(at - wishedAt), MAX_STARTUP_MS);
  }
}

/** Where reports go that the chat can't say. A token stands in the query, since a beacon has no headers of ours. */
export function reportsUrl(origin: string, channel: string, token: string): string {
  const url = new URL(`/api/v1/channels/${encodeURIComponent(channel)}/reports`, origin);
  if (token !== '') url.searchParams.set('token', token);
  return url.href;
}
