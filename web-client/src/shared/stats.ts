/** One entry of an RTCStatsReport; which members it has depends on its type and on the browser. */
export interface StatsEntry {
  id: string;
  type: string;
  timestamp: number;
}

/** What we need of an RTCStatsReport: a plain Map serves as one in tests. */
export type StatsReport = ReadonlyMap<string, unknown>;

type Entry = StatsEntry & Readonly<Record<string, unknown>>;

export function entries(report: StatsReport, type: string, kind?: 'audio' | 'video'): Entry[] {
  const found: Entry[] = [];
  report.forEach((value) => {
    const entry = value as Entry;
    if (entry.type === type && (kind === undefined || entry.kind === kind)) found.push(entry);
  });
  return found;
}

export function number(entry: Entry | undefined, name: string): number {
  const value = entry?.[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function string(entry: Entry | undefined, name: string): string {
  const value = entry?.[name];
  return typeof value === 'string' ? value : '';
}

export function byId(report: StatsReport, id: string): Entry | undefined {
  return report.get(id) as Entry | undefined;
}

/** Counters of two reports of the same connection, as what happened in between. */
export class Delta {
  constructor(
    readonly report: StatsReport,
    readonly previous: StatsReport | null,
  ) {}

  /** How far a counter went up; since the start of the session if there is no earlier report. */
  of(entry: Entry | undefined, name: string): number {
    if (entry === undefined) return 0;
    return Math.max(0, number(entry, name) - number(this.#before(entry), name));
  }

  /** Units a second. Zero until there are two reports to compare. */
  rate(entry: Entry | undefined, name: string): number {
    const before = entry === undefined ? undefined : this.#before(entry);
    if (entry === undefined || before === undefined) return 0;
    const seconds = (entry.timestamp - before.timestamp) / 1000;
    return seconds > 0 ? this.of(entry, name) / seconds : 0;
  }

  /** The average of a total over the events it sums up, in the unit of the total. */
  average(entry: Entry | undefined, total: string, count: string): number {
    const events = this.of(entry, count);
    return events > 0 ? this.of(entry, total) / events : 0;
  }

  #before(entry: Entry): Entry | undefined {
    return this.previous === null ? undefined : byId(this.previous, entry.id);
  }
}

/** The network path that media takes. */
export interface PathStats {
  /** Round-trip time in milliseconds, from ICE consent checks. */
  rttMs: number;
  /** `udp` or `tcp`. */
  protocol: string;
  /** Candidate types, as in `host → host`; `relay` means a TURN server. */
  localType: string;
  remoteType: string;
  /** The SRTP cipher suite, where the browser tells. */
  srtpCipher: string;
  /** What the bandwidth estimator grants to outgoing media, in bit/s; 0 if unknown. */
  availableOutgoing: number;
}

export function readPath(report: StatsReport): PathStats | null {
  const transport = entries(report, 'transport')[0];
  const selected = byId(report, string(transport, 'selectedCandidatePairId'));
  // Firefox marks the pair itself instead of naming it in the transport.
  const pair =
    selected ?? entries(report, 'candidate-pair').find((entry) => entry.selected === true);
  if (pair === undefined) return null;
  const local = byId(report, string(pair, 'localCandidateId'));
  const remote = byId(report, string(pair, 'remoteCandidateId'));
  return {
    rttMs: number(pair, 'currentRoundTripTime') * 1000,
    protocol: string(local, 'relayProtocol') || string(local, 'protocol'),
    localType: string(local, 'candidateType'),
    remoteType: string(remote, 'candidateType'),
    srtpCipher: string(transport, 'srtpCipher'),
    availableOutgoing: number(pair, 'availableOutgoingBitrate'),
  };
}

/** The codec of an RTP entry, as in SDP: `H264`, `VP8`, `opus`. */
export function codecOf(report: StatsReport, entry: Entry | undefined): string {
  return string(byId(report, string(entry, 'codecId')), 'mimeType').replace(/^\w+\//, '');
}
