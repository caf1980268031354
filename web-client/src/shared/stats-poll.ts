import type { PeerSession } from './peer-session.ts';
import type { StatsReport } from './stats.ts';

/** Reads a session's statistics again and again, each with the report before it. */
export class StatsPoll {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #session: PeerSession | null = null;
  #previous: StatsReport | null = null;

  constructor(
    readonly session: () => PeerSession | null,
    readonly intervalMs: () => number,
    readonly onReport: (
      peer: RTCPeerConnection,
      report: StatsReport,
      previous: StatsReport | null,
    ) => void,
  ) {}

  start(): void {
    this.stop();
    this.#timer = setTimeout(() => {
      void this.#tick();
    }, this.intervalMs());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    const timer = this.#timer;
    const session = this.session();
    const report = await session?.peer.getStats().catch(() => undefined);
    if (this.#timer !== timer) return;
    if (session !== null && report !== undefined && session === this.session()) {
      const previous = this.#session === session ? this.#previous : null;
      this.#session = session;
      this.#previous = report;
      this.onReport(session.peer, report, previous);
    }
    this.start();
  }
}
