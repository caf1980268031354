/** For tests: what the node says of a broadcast that began at 20:00, seven minutes of it in two of which nobody watched. */
export const STARTED_AT = Date.UTC(2026, 10, 22, 20);

const latency = { count: 30, p50: 180, p95: 420, p99: 700 };
const startup = { count: 3, p50: 300, p95: 900, p99: 950 };
const none = { count: 0, p50: null, p95: null, p99: null };

function point(at: number, watched: number, stalled: number, joins: number): object {
  const viewers = (watched + stalled) / 60;
  const watchedAndStalled = { watched_s: watched, stalled_s: stalled, stalls: stalled > 0 ? 1 : 0 };
  const latency_ms = watched > 0 ? latency : none;
  return {
    at,
    viewers,
    sessions_most: Math.ceil(viewers),
    joins,
    ...watchedAndStalled,
    latency_ms,
  };
}

export function audienceJson(more: object = {}): Record<string, unknown> {
  const total = {
    watched_s: 540,
    stalled_s: 60,
    stalls: 1,
    joins: 3,
    latency_ms: latency,
    startup_ms: startup,
  };
  return {
    broadcast: 'b1',
    channel: 'demo',
    started_at: STARTED_AT,
    ended_at: null,
    step: 1,
    total: { ...total, viewers_most: 4, sessions_most: 5 },
    points: [
      point(0, 60, 0, 1),
      point(1, 180, 60, 2),
      point(4, 240, 0, 0),
      point(5, 60, 0, 0),
      point(6, 0.5, 0, 0),
    ],
    players: [{ name: 'webrtc', ...total }],
    devices: [{ name: 'mobile', ...total }],
    countries: [
      { name: 'DE', ...total },
      { name: 'other', ...total },
    ],
    heights: [{ height: 720, watched_s: 540 }],
    raised: { EUR: 1_250 },
    ...more,
  };
}

export function broadcastJson(id: string, more: object = {}): object {
  const times = { started_at: STARTED_AT, ended_at: null };
  return { id, channel: `c-${id}`, title: '', ...times, peak_viewers: 3, ...more };
}
