import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from './connection.ts';
import type { PathEvent, PeerSession } from './peer-session.ts';
import { ProblemError } from './problem.ts';

/** A session that can be told what happens to it. */
class FakeSession {
  closed = false;
  restarts = 0;
  restartFails = false;
  constructor(readonly path: (event: PathEvent) => void) {}
  close(): void {
    this.closed = true;
  }
  restartIce(): Promise<void> {
    this.restarts += 1;
    return this.restartFails ? Promise.reject(new Error('412')) : Promise.resolve();
  }
}

const sessions: FakeSession[] = [];
let refusal: Error | null = null;
let states: string[] = [];
let readiness = Promise.resolve();

function connect(): Connection<PeerSession> {
  const connection = new Connection({
    openSession: (_signal, onPath) => {
      if (refusal !== null) return Promise.reject(refusal);
      const session = new FakeSession(onPath);
      sessions.push(session);
      return Promise.resolve(session as unknown as PeerSession);
    },
    onState: ({ name }) => states.push(name),
    onMoved: () => states.push('moved'),
    onMoveFailed: () => states.push('not moved'),
    isReady: () => readiness,
  });
  connection.open();
  return connection;
}

const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  sessions.length = 0;
  refusal = null;
  states = [];
  readiness = Promise.resolve();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('Connection', () => {
  it('restarts ICE on a lost path and keeps the session', async () => {
    connect();
    await settle();
    sessions[0]?.path('up');
    sessions[0]?.path('lost');
    expect(sessions[0]?.restarts).toBe(1);
    sessions[0]?.path('up');
    expect(states).toEqual(['opening', 'up', 'restarting', 'up']);
    expect(sessions).toHaveLength(1);
  });

  it('opens a new session when the restart is refused, and ends the old one', async () => {
    connect();
    await settle();
    const [first] = sessions;
    if (first === undefined) throw new Error('no session');
    first.restartFails = true;
    first.path('up');
    first.path('lost');
    await settle();
    expect(first.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(sessions).toHaveLength(2);
    expect(states.slice(-2)).toEqual(['pausing', 'opening']);
  });

  it('hears nothing more from a session that it closed', async () => {
    const connection = connect();
    await settle();
    connection.close();
    sessions[0]?.path('lost');
    sessions[0]?.path('up');
    expect(states).toEqual(['opening', 'off']);
    expect(sessions[0]?.closed).toBe(true);
  });

  it('ends a session that opens after nobody wants it any more', async () => {
    const connection = connect();
    connection.close();
    await settle();
    expect(sessions[0]?.closed).toBe(true);
    expect(connection.session).toBeNull();
  });

  it('goes over to another session once its path is up', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    connection.move();
    await settle();
    expect(sessions[0]?.closed).toBe(false);
    sessions[1]?.path('up');
    await settle();
    expect(sessions[0]?.closed).toBe(true);
    expect(connection.session).toBe(sessions[1]);
    sessions[0]?.path('closed');
    expect(states).toEqual(['opening', 'up', 'moved']);
    sessions[1]?.path('lost');
    expect(sessions[1]?.restarts).toBe(1);
  });

  it('goes over no sooner than the other session is ready', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    let ready = (): void => undefined;
    readiness = new Promise((resolve) => {
      ready = resolve;
    });
    connection.move();
    await settle();
    sessions[1]?.path('up');
    await settle();
    expect(connection.session).toBe(sessions[0]);
    ready();
    await settle();
    expect(connection.session).toBe(sessions[1]);
  });

  it('is up again where the session that it leaves was being restarted', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    connection.move();
    await settle();
    sessions[0]?.path('lost');
    sessions[1]?.path('up');
    await settle();
    expect(connection.session).toBe(sessions[1]);
    expect(states).toEqual(['opening', 'up', 'restarting', 'up', 'moved']);
  });

  it('stays where it is while there is no other session, or no path to it, and tries again', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    refusal = new ProblemError({ status: 503, title: '', detail: '', retryAfterMs: 5_000 });
    connection.move();
    await settle();
    expect(states).toEqual(['opening', 'up', 'not moved']);
    refusal = null;
    await vi.advanceTimersByTimeAsync(4_900);
    expect(sessions).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(700);
    sessions[1]?.path('lost');
    await settle();
    expect(sessions[1]?.closed).toBe(true);
    expect(connection.session).toBe(sessions[0]);
    await vi.advanceTimersByTimeAsync(1_100);
    sessions[2]?.path('up');
    await settle();
    expect(connection.session).toBe(sessions[2]);
    expect(states).toEqual(['opening', 'up', 'not moved', 'not moved', 'moved']);
  });

  it('tries no more to go where it may not, or where LL-HLS is offered instead', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    for (const problem of [
      { status: 403, title: '', detail: '', retryAfterMs: null },
      { status: 503, title: '', detail: '', retryAfterMs: 1_000, offersHls: true },
    ]) {
      refusal = new ProblemError(problem);
      connection.move();
      await settle();
    }
    refusal = null;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sessions).toHaveLength(1);
  });

  it('forgets a move when the present session ends', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    refusal = new ProblemError({ status: 503, title: '', detail: '', retryAfterMs: 60_000 });
    connection.move();
    await settle();
    refusal = null;
    sessions[0]?.path('closed');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.session).toBe(sessions[1]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sessions).toHaveLength(2);
  });

  it('goes nowhere when it is closed meanwhile', async () => {
    const connection = connect();
    await settle();
    sessions[0]?.path('up');
    connection.move();
    connection.close();
    await settle();
    sessions[1]?.path('up');
    await settle();
    expect(sessions[1]?.closed).toBe(true);
    expect(connection.session).toBeNull();
  });

  it('honours Retry-After, and the user’s impatience', async () => {
    const problem = { status: 503, title: '', detail: '', retryAfterMs: 60_000 };
    refusal = new ProblemError(problem);
    const connection = connect();
    await settle();
    refusal = null;
    await vi.advanceTimersByTimeAsync(59_000);
    expect(sessions).toHaveLength(0);
    connection.open();
    await settle();
    expect(sessions).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sessions).toHaveLength(1);
  });

  it('gives up on a refusal that will not pass', async () => {
    refusal = new ProblemError({ status: 403, title: '', detail: '', retryAfterMs: null });
    const connection = connect();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(connection.state.name).toBe('refused');
    expect(states).toEqual(['opening', 'refused']);
  });
});
