import { backoffMs } from './backoff.ts';
import { isTransient, networkProblem, type Problem } from './problem.ts';

/**
 * How a page keeps a WHIP or WHEP session going, as a pure state machine: `step` takes an event and gives the next
 * machine and the commands to run. `Connection` owns one, feeds it and runs its commands.
 */
export type ConnectionState =
  | { name: 'off' }
  /** A session is being opened or its path is coming up. The first attempt is number 0. */
  | { name: 'opening'; attempt: number }
  | { name: 'up' }
  /** The path was lost, and an ICE restart tries to bring it back. */
  | { name: 'restarting' }
  /** A new session is opened in `ms` milliseconds. */
  | { name: 'pausing'; attempt: number; ms: number; problem: Problem | null }
  /** Refused for good: nothing more happens by itself. */
  | { name: 'refused'; problem: Problem };

export type ConnectionEvent =
  | { type: 'open-asked' }
  | { type: 'close-asked' }
  | { type: 'open-failed'; problem: Problem }
  | { type: 'path-up' }
  | { type: 'path-lost' }
  | { type: 'restart-failed' }
  | { type: 'session-closed' }
  | { type: 'retry-due' }
  /** Media flows: the failures so far are forgotten. */
  | { type: 'proved' };

export type ConnectionCommand =
  { type: 'open' } | { type: 'restart-ice' } | { type: 'close' } | { type: 'retry-in'; ms: number };

export interface ConnectionMachine {
  state: ConnectionState;
  /** Failed attempts since media last flowed. */
  failures: number;
}

export interface Step {
  machine: ConnectionMachine;
  commands: ConnectionCommand[];
}

export const OFF: ConnectionMachine = { state: { name: 'off' }, failures: 0 };

/** Signalling works, but nothing else does. */
export const NO_PATH = networkProblem(
  'The server answers, but no media path to it comes up. A firewall may block its UDP and TCP media ports.',
);

export function step(
  machine: ConnectionMachine,
  event: ConnectionEvent,
  random: () => number = Math.random,
): Step {
  const { state } = machine;
  switch (event.type) {
    case 'open-asked':
      return hasSession(state) ? stay(machine) : open({ ...machine, failures: 0 });
    case 'close-asked':
      return { machine: OFF, commands: [{ type: 'close' }] };
    case 'open-failed':
      return state.name === 'opening' ? openFailed(machine, event.problem, random) : stay(machine);
    case 'path-up':
      return hasSession(state) ? become(machine, { name: 'up' }) : stay(machine);
    case 'path-lost':
      return pathLost(machine, random);
    case 'restart-failed':
      return state.name === 'restarting' ? reopen(machine, null, random) : stay(machine);
    case 'session-closed':
      return hasSession(state) ? reopen(machine, null, random) : stay(machine);
    case 'retry-due':
      return state.name === 'pausing' ? open(machine) : stay(machine);
    case 'proved':
      return { machine: { ...machine, failures: 0 }, commands: [] };
  }
}

/** A path that was up gets an ICE restart; one that never came up, or is lost again, a new session. */
function pathLost(machine: ConnectionMachine, random: () => number): Step {
  switch (machine.state.name) {
    case 'up':
      return {
        machine: { ...machine, state: { name: 'restarting' } },
        commands: [{ type: 'restart-ice' }],
      };
    case 'restarting':
      return reopen(machine, null, random);
    case 'opening':
      return reopen(machine, NO_PATH, random);
    default:
      return stay(machine);
  }
}

function openFailed(machine: ConnectionMachine, problem: Problem, random: () => number): Step {
  if (isTransient(problem)) return reopen(machine, problem, random);
  return { ...become(machine, { name: 'refused', problem }), commands: [{ type: 'close' }] };
}

function reopen(machine: ConnectionMachine, problem: Problem | null, random: () => number): Step {
  const attempt = machine.failures + 1;
  const ms = backoffMs(attempt, problem?.retryAfterMs ?? null, random);
  return {
    machine: { state: { name: 'pausing', attempt, ms, problem }, failures: attempt },
    commands: [{ type: 'close' }, { type: 'retry-in', ms }],
  };
}

function open(machine: ConnectionMachine): Step {
  return {
    ...become(machine, { name: 'opening', attempt: machine.failures }),
    commands: [{ type: 'close' }, { type: 'open' }],
  };
}

/** Whether a session is open or opening, so that news of its path concern us. */
function hasSession({ name }: ConnectionState): boolean {
  return name === 'opening' || name === 'up' || name === 'restarting';
}

function become(machine: ConnectionMachine, state: ConnectionState): Step {
  return { machine: { ...machine, state }, commands: [] };
}

function stay(machine: ConnectionMachine): Step {
  return { machine, commands: [] };
}
