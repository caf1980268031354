import { formatBitrate, formatDate, formatMs, formatShare } from '../shared/format.ts';
import { stalledShare, type Figures, type Spread } from './audience.ts';
import type { Sidecar, Source } from './node.ts';
import { STALE_MS } from './poll.ts';
import type { Step } from './series.ts';

export const UNKNOWN = '–';

/** A count, or a mean with one decimal while that matters. */
export function formatNumber(value: number): string {
  const digits = value < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** For how long: 40 s, 12 min, 5 h 03 min, 3 d 4 h. */
export function formatSpan(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function formatMaybe(share: number | null): string {
  return share === null ? UNKNOWN : formatShare(share);
}

/** The median and the worst of twenty: 180 ms · 420 ms. */
export function describeSpread({ p50, p95 }: Spread): string {
  return p50 === null ? UNKNOWN : `${formatMs(p50)} · ${formatMs(p95)}`;
}

export function describeStalled(figures: Figures): string {
  return formatMaybe(stalledShare(figures));
}

/** How old figures are; empty while they are of now. Times are of `performance.now()`. */
export function describeAge(now: number, answeredAt: number | null, hasFailed: boolean): string {
  if (answeredAt === null) return hasFailed ? 'There are no figures yet.' : '';
  const age = now - answeredAt;
  return hasFailed || age >= STALE_MS ? `These figures are ${formatSpan(age)} old.` : '';
}

/** What a publisher sends: H264 · 1280×720 · 2.5 Mbit/s. */
export function describeSource(source: Source): string {
  const { videoCodec, audioCodec, width, height, bitrate } = source;
  const size = width !== null && height !== null && height > 0 ? `${width}×${height}` : '';
  const codecs = [videoCodec, audioCodec].filter(Boolean).join(' + ');
  const rate = bitrate === null ? '' : formatBitrate(bitrate);
  return [codecs, size, rate].filter(Boolean).join(' · ');
}

/** Which sidecars there are: the node forgets those that it doesn't hear of. */
export function describeSidecars(sidecars: readonly Sidecar[]): string {
  const each = sidecars.map(({ id, channels }) => `${id} (${countOf(channels, 'channel')})`);
  return each.join(', ') || 'none';
}

export function countOf(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${formatNumber(count)} ${what}s`;
}

/** How long a step is, behind a word like “last”. */
export function nameOfStep(minutes: number): string {
  return minutes === 1 ? 'minute' : `${minutes} minutes`;
}

/** What a chart of viewers shows. `isOff`: nothing is kept of them. */
export function describeViewers(
  steps: readonly Step[],
  stepMinutes: number,
  isOff: boolean,
): string {
  if (isOff) return 'No figures of viewers are kept.';
  const last = steps.at(-1);
  const step = nameOfStep(stepMinutes);
  if (last === undefined) return `Viewers are drawn after its first ${step}.`;
  const most = Math.max(...steps.map(({ viewers }) => viewers));
  const [now, peak] = [formatNumber(last.viewers), formatNumber(most)];
  return `All players: ${now} in the last ${step}, ${peak} at most`;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const DAY_MS = 86_400_000;

/** A time of the day in the viewer's time zone: 14:05. */
export function formatClock(unixMs: number): string {
  return CLOCK.format(unixMs);
}

/** What stands under a chart's axis: its beginning, middle and end in the viewer's time zone. */
export function timesOf(steps: readonly Step[], stepMinutes: number): string[] {
  const [first, last] = [steps.at(0), steps.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [begin, end] = [first.at, last.at + stepMinutes * 60_000];
  const format = end - begin > DAY_MS ? formatDate : formatClock;
  const times = [begin, (begin + end) / 2, end].map(format);
  // Of a few minutes the middle says nothing new.
  return times.map((time, index) => (index === 1 && time === times[0] ? '' : time));
}

const REGIONS = new Intl.DisplayNames('en', { type: 'region', fallback: 'code' });

/** A country by its two letters; what isn't one stays what it is. */
export function nameOfCountry(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return capitalized(code) || 'Unknown';
  return REGIONS.of(code) ?? code;
}

const PLAYERS: Readonly<Record<string, string>> = { webrtc: 'WebRTC', hls: 'LL-HLS' };
const DEVICES: Readonly<Record<string, string>> = { tv: 'TV' };

export function nameOfPlayer(name: string): string {
  return PLAYERS[name] ?? (capitalized(name) || 'Unknown');
}

export function nameOfDevice(name: string): string {
  return DEVICES[name] ?? (capitalized(name) || 'Unknown');
}

/** The class of all that is more than 2160 lines. */
const TALLEST = 4_320;

/** A class of picture heights by the greatest of them. */
export function nameOfHeight(height: number): string {
  return height < TALLEST ? `Up to ${height} lines` : 'More than 2160 lines';
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
