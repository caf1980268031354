import { describe, expect, it } from 'vitest';
import {
  OFF,
  step,
  type ConnectionCommand,
  type ConnectionEvent,
  type ConnectionMachine,
} from './connection-state.ts';
import type { Problem } from './problem.ts';

const problem = (status: number, retryAfterMs: number | null = null): Problem => ({
  status,
  title: 'title',
  detail: 'detail',
  retryAfterMs,
});

/** Feeds events one after the other; gives the last state and the last commands. */
function after(...events: (ConnectionEvent['type'] | ConnectionEvent)[]): {
  machine: ConnectionMachine;
  commands: ConnectionCommand[];
} {
  let last = { machine: OFF, commands: [] as ConnectionCommand[] };
  for (const event of events) {
    const full = typeof event === 'string' ? ({ type: event } as ConnectionEvent) : event;
    last = step(last.machine, full, () => 0);
  }
  return last;
}

describe('a connection', () => {
  it('opens once, however often it is asked', () => {
    expect(after('open-asked').commands).toContainEqual({ type: 'open' });
    expect(after('open-asked', 'open-asked').commands).toEqual([]);
    expect(after('open-asked', 'path-up', 'open-asked').commands).toEqual([]);
  });

  it('is up when its path is', () => {
    expect(after('open-asked', 'path-up').machine.state).toEqual({ name: 'up' });
  });

  it('answers a lost path by an ICE restart, and that one’s failure by a new session', () => {
    const lost = after('open-asked', 'path-up', 'path-lost');
    expect(lost.machine.state.name).toBe('restarting');
    expect(lost.commands).toEqual([{ type: 'restart-ice' }]);
    for (const failure of ['restart-failed', 'path-lost'] as const) {
      const failed = after('open-asked', 'path-up', 'path-lost', failure);
      expect(failed.machine.state).toMatchObject({ name: 'pausing', attempt: 1 });
      expect(failed.commands).toEqual([{ type: 'close' }, { type: 'retry-in', ms: 250 }]);
    }
  });

  it('is up again after an ICE restart', () => {
    const { machine } = after('open-asked', 'path-up', 'path-lost', 'path-up');
    expect(machine.state.name).toBe('up');
  });

  it('opens a new session when the node closes this one', () => {
    const { machine } = after('open-asked', 'path-up', 'session-closed');
    expect(machine.state.name).toBe('pausing');
    const reopened = step(machine, { type: 'retry-due' });
    expect(reopened.machine.state).toEqual({ name: 'opening', attempt: 1 });
    expect(reopened.commands).toContainEqual({ type: 'open' });
  });

  it('says what to look at when no path ever comes up', () => {
    const { machine } = after('open-asked', 'path-lost');
    expect(machine.state).toMatchObject({ name: 'pausing', problem: { status: 0 } });
  });

  it('waits as long as the server asks', () => {
    const refusal: ConnectionEvent = { type: 'open-failed', problem: problem(503, 20_000) };
    const { commands } = after('open-asked', refusal);
    expect(commands).toContainEqual({ type: 'retry-in', ms: 20_250 });
  });

  it('stops at a refusal that will not pass, until it is asked again', () => {
    const refusal: ConnectionEvent = { type: 'open-failed', problem: problem(403) };
    const refused = after('open-asked', refusal);
    expect(refused.machine.state.name).toBe('refused');
    expect(refused.commands).toEqual([{ type: 'close' }]);
    expect(step(refused.machine, { type: 'retry-due' }).commands).toEqual([]);
    expect(step(refused.machine, { type: 'open-asked' }).machine.state.name).toBe('opening');
  });

  it('pauses longer with each failure and forgets them once media flows', () => {
    const failure: ConnectionEvent = { type: 'open-failed', problem: problem(0) };
    const twice = after('open-asked', failure, 'retry-due', failure, 'retry-due');
    expect(twice.machine.failures).toBe(2);
    const up = step(twice.machine, { type: 'path-up' }).machine;
    expect(up.failures).toBe(2);
    expect(step(up, { type: 'proved' }).machine.failures).toBe(0);
  });

  it('tries at once when asked during a pause', () => {
    const failure: ConnectionEvent = { type: 'open-failed', problem: problem(0) };
    const { machine, commands } = after('open-asked', failure, 'open-asked');
    expect(machine.state.name).toBe('opening');
    expect(commands).toEqual([{ type: 'close' }, { type: 'open' }]);
  });

  it('ignores late news of a session that is gone', () => {
    for (const late of ['path-up', 'path-lost', 'session-closed', 'restart-failed'] as const) {
      const { machine, commands } = after('open-asked', 'close-asked', late);
      expect(machine).toEqual(OFF);
      expect(commands).toEqual([]);
    }
  });
});
