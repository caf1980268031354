import { stalledShare, type Audience, type Point } from './audience.ts';

const MINUTE_MS = 60_000;
/** More steps than a chart has room for, and than a node tells unless it's asked for them. */
const MAX_STEPS = 1_440;

/** One step of a broadcast. */
export interface Step {
  /** When it begins, in Unix milliseconds. */
  at: number;
  viewers: number;
  sessionsMost: number;
  joins: number;
  p50: number | null;
  p95: number | null;
  /** Of the time, 0 to 1; null where nobody watched. */
  stalled: number | null;
}

/**
 * The steps of a broadcast that are over, those in which nobody watched included. What is under way would look like a fall: of its
 * viewing only a part was told. A step that the end of the broadcast cut short counts by its own length.
 */
export function stepsOf(audience: Audience, now: number): Step[] {
  const { startedAt, endedAt, step, points } = audience;
  const stepMs = step * MINUTE_MS;
  const length = Math.max(0, (endedAt ?? now) - startedAt);
  const whole = Math.min(Math.floor(length / stepMs), MAX_STEPS);
  const rest = length - whole * stepMs;
  // Reports of viewing reach across the border of a step: of a short one most was told before it.
  const hasRest = endedAt !== null && whole < MAX_STEPS && (rest >= stepMs / 2 || whole === 0);
  const byNumber = new Map(points.map((point) => [Math.floor(point.at / step), point]));
  return Array.from({ length: whole + (hasRest ? 1 : 0) }, (_, number) => {
    const ms = number === whole ? Math.max(rest, 1_000) : stepMs;
    return stepOf(startedAt + number * stepMs, ms, byNumber.get(number));
  });
}

function stepOf(at: number, ms: number, point: Point | undefined): Step {
  if (point === undefined) {
    return { at, viewers: 0, sessionsMost: 0, joins: 0, p50: null, p95: null, stalled: null };
  }
  return {
    at,
    viewers: ((point.watchedS + point.stalledS) * 1_000) / ms,
    sessionsMost: point.sessionsMost,
    joins: point.joins,
    p50: point.latencyMs.p50,
    p95: point.latencyMs.p95,
    stalled: stalledShare(point),
  };
}
