/** Whether a node that ran for long grew: samples in, sentences about what grew out. */

/** What a node counts of itself. */
export async function figures(spillway) {
  const text = await (await spillway.api('/metrics')).text();
  const sum = (prefix) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(prefix))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
  return {
    sessions: sum('spillway_sessions{'),
    workerSessions: sum('spillway_worker_sessions{'),
    connections: sum('spillway_http_connections '),
    tasks: sum('spillway_tasks '),
  };
}

/** The windows that are compared: of half an hour the minutes 3 to 5 and the last two, of less as much less. */
export function windows(seconds) {
  const length = Math.min(120, seconds / 4);
  const from = Math.min(180, seconds / 4);
  return { early: [from, from + length], late: [seconds - length, seconds] };
}

/** The mean of the samples `{ at, value }` in a window of seconds. */
export function mean(samples, [from, to]) {
  const values = samples.filter(({ at }) => at >= from && at < to).map(({ value }) => value);
  if (values.length === 0) throw new Error(`nothing was sampled from ${from} s to ${to} s`);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Compares means over the windows: `{ name, early, late, grew }`, `grew` a sentence or null. */
export function compare(name, samples, seconds, { tolerance, unit = 1, digits = 1 }) {
  const { early, late } = windows(seconds);
  const [before, after] = [mean(samples, early), mean(samples, late)].map((value) => value / unit);
  const show = (value) => value.toFixed(digits);
  const when = ([from, to]) => `seconds ${from.toFixed(0)} to ${to.toFixed(0)}`;
  const grew =
    after > before + tolerance
      ? `${name} grew from ${show(before)} (${when(early)}) to ${show(after)} (${when(late)}); ` +
        `${show(tolerance)} more is tolerated.`
      : null;
  return { name, early: show(before), late: show(after), grew };
}

/** Compares what there was before anybody came with what is left when all are gone. */
export function left(name, before, after, tolerance = 0) {
  const grew =
    after > before + tolerance
      ? `${name} grew from ${before} before the viewers to ${after} after them; ` +
        `${tolerance} more are tolerated.`
      : null;
  return { name: `${name}, before and after`, early: before, late: after, grew };
}
