/**
 * Viewers come and go for long, and nothing of the node may grow: `node churn.js [MINUTES]`.
 *
 * What is compared, and what it may differ by, is below. Fails with a sentence for each thing that grew.
 */
import fs from 'node:fs';
import { artifact } from './lib/artifacts.js';
import { compare, figures, left } from './lib/growth.js';
import { load } from './lib/load.js';
import { Spillway } from './lib/spillway.js';
import { sleep, until } from './lib/wait.js';

const VIEWERS = 300;
const STAY_S = 6;
/** A session whose viewer left without a word ends after 30 s: so long it takes until there are as many as there will be. */
const SETTLE_S = 40;
/** And until they are gone. */
const LINGER_S = 45;
/** After the viewers left: what the load test itself takes until its end, in seconds. */
const DRAIN_S = 1;
const SAMPLE_MS = 5_000;
const MIB = 1 << 20;
/**
 * Tolerances. Memory: of 25 minutes with 50 joins a second, 4 MiB are 56 bytes a join. The others vary by how many viewers
 * are just then joining, and by how many vanished within 30 s.
 */
const TOLERATED = { memoryMiB: 4, descriptors: 25, threads: 1, sessions: 25, tasks: 50 };

const minutes = Number(process.argv[2] ?? 30);
if (!(minutes >= 1)) throw new Error('usage: node churn.js [MINUTES], at least 1');
const seconds = minutes * 60;

const spillway = await Spillway.start({ test: 'churn' });
let verdicts;
let problems;
try {
  const sampled = [];
  const before = await figures(spillway);
  const running = run();
  running.catch(() => {});
  let over = false;
  const sampler = (async () => {
    while (!over) {
      sampled.push({ ms: Date.now(), ...(await figures(spillway)) });
      await Promise.race([sleep(SAMPLE_MS), running.catch(() => {})]);
    }
  })();
  // A sample that fails ends it all.
  const report = await Promise.race([running, sampler.then(() => running)]).finally(() => {
    over = true;
  });
  await sampler;
  const end = Date.now();
  ({ verdicts, problems } = await judge({ report, sampled, before, end }));
} finally {
  await spillway.stop();
}

for (const { name, early, late } of verdicts) console.log(`  ${name}: ${early}, ${late}`);
for (const problem of problems) console.error(`churn: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
else console.log(`churn: nothing grew in ${minutes} minutes.`);

function run() {
  return load(
    spillway,
    ...['--viewers', String(VIEWERS), '--churn', `${STAY_S}s`, '--vanish', '0.1', '--data-channel'],
    ...['--bitrate', '600kbit', '--verify', '0'],
    ...['--settle', `${SETTLE_S}s`, '--duration', `${seconds}s`, '--linger', `${LINGER_S}s`],
  );
}

async function judge({ report, sampled, before, end }) {
  // The measured window ends before the viewers leave for good.
  const start = end / 1000 - LINGER_S - DRAIN_S - seconds;
  const counted = (pick) => sampled.map((s) => ({ at: s.ms / 1000 - start, value: pick(s) }));
  const last = report.timeline.at(-1).at;
  const process = (pick) =>
    report.timeline
      .filter(({ server }) => server)
      .map(({ at, server }) => ({
        at: at - (last - LINGER_S - DRAIN_S - seconds),
        value: pick(server),
      }));
  const { memoryMiB, descriptors, threads, sessions, tasks } = TOLERATED;
  const memory = { tolerance: memoryMiB, unit: MIB };
  // The sessions' end is told a moment after the publisher's good-bye.
  await until('all sessions end', async () => (await figures(spillway)).sessions === 0).catch(
    () => {},
  );
  const after = await figures(spillway);
  const verdicts = [
    compare(
      'resident memory, MiB',
      process((s) => s.resident),
      seconds,
      memory,
    ),
    compare(
      'open descriptors',
      process((s) => s.descriptors),
      seconds,
      { tolerance: descriptors },
    ),
    compare(
      'threads',
      process((s) => s.threads),
      seconds,
      { tolerance: threads },
    ),
    compare(
      'sessions',
      counted((s) => s.sessions),
      seconds,
      { tolerance: sessions },
    ),
    compare(
      "the workers' sessions",
      counted((s) => s.workerSessions),
      seconds,
      {
        tolerance: sessions,
      },
    ),
    compare(
      'HTTP connections',
      counted((s) => s.connections),
      seconds,
      { tolerance: descriptors },
    ),
    compare(
      'tasks',
      counted((s) => s.tasks),
      seconds,
      { tolerance: tasks },
    ),
    left('sessions', before.sessions, after.sessions),
    left("the workers' sessions", before.workerSessions, after.workerSessions),
    left('tasks', before.tasks, after.tasks, 4),
    left('open descriptors', report.memory.descriptors_before, report.memory.descriptors_after, 4),
  ];
  const problems = verdicts.map(({ grew }) => grew).filter(Boolean);
  if (report.without_picture > 0)
    problems.push(`${report.without_picture} of ${report.joins} viewers left without a picture.`);
  for (const [reason, count] of Object.entries(report.failures)) {
    // A machine that is short of time sends some away, who come again.
    const tolerated = reason.startsWith('503') ? report.joins / 100 : 0;
    if (count > tolerated) problems.push(`${count} sessions failed: ${reason}`);
  }
  if (report.broken > 0) problems.push(`${report.broken} packets were broken.`);
  if (report.joins < (VIEWERS * seconds) / STAY_S / 2)
    problems.push(`only ${report.joins} viewers joined: the machine doesn't keep up.`);
  const kept = { minutes, joins: report.joins, verdicts, problems, before, after, sampled, report };
  fs.writeFileSync(artifact('churn', 'churn.json'), JSON.stringify(kept));
  console.log(report.table);
  return { verdicts, problems };
}
