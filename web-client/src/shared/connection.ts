import {
  NO_PATH,
  OFF,
  step,
  type ConnectionCommand,
  type ConnectionEvent,
  type ConnectionMachine,
  type ConnectionState,
} from './connection-state.ts';
import { backoffMs } from './backoff.ts';
import type { PathEvent } from './peer-session.ts';
import { isTransient, ProblemError, toProblem, type Problem } from './problem.ts';

/** What a connection needs of a session. */
export interface KeptSession {
  restartIce: () => Promise<void>;
  close: () => void;
}

/** What a connection needs from its surroundings. */
export interface ConnectionPorts<Session extends KeptSession> {
  /** `isBeside`: there is a session that is up, whose place this one is to take. */
  openSession: (
    signal: AbortSignal,
    onPath: (event: PathEvent) => void,
    isBeside: boolean,
  ) => Promise<Session>;
  onState: (state: ConnectionState) => void;
  /** This is the session from now on. */
  onSession?: (session: Session) => void;
  /** Comes to an end when a session whose path is up may take the place of the present one. */
  isReady?: (session: Session, signal: AbortSignal) => Promise<void>;
  /** It has taken it. */
  onMoved?: (session: Session) => void;
  /** None could be opened beside the present one, which goes on; unless it's for good, that is tried again. */
  onMoveFailed?: (problem: Problem) => void;
}

/**
 * Keeps one session open: owns the state machine, the session and the retry timer.
 *
 * `open` it, tell it with `proved` when media flows, and `close` it in the end.
 */
export class Connection<Session extends KeptSession> {
  readonly #ports: ConnectionPorts<Session>;
  #machine: ConnectionMachine = OFF;
  #session: Session | null = null;
  #abort = new AbortController();
  /** Of the session that is opened beside the present one. */
  #move: AbortController | null = null;
  #moveFailures = 0;
  #moveTimer: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: ConnectionPorts<Session>) {
    this.#ports = ports;
  }

  get state(): ConnectionState {
    return this.#machine.state;
  }

  get session(): Session | null {
    return this.#session;
  }

  /** Opens a session unless one is open; while pausing between attempts it opens one now. */
  open(): void {
    this.#feed({ type: 'open-asked' });
  }

  proved(): void {
    this.#feed({ type: 'proved' });
  }

  close(): void {
    this.#feed({ type: 'close-asked' });
  }

  /**
   * Goes over to another session. The present one plays on until the other is ready, and beyond that while there is none.
   * Without a session that is up the next attempt is as good.
   */
  move(): void {
    if (this.#machine.state.name !== 'up') return;
    this.#endMove();
    this.#moveFailures = 0;
    void this.#openBeside();
  }

  #feed(event: ConnectionEvent): void {
    const before = this.#machine.state;
    const { machine, commands } = step(this.#machine, event);
    this.#machine = machine;
    for (const command of commands) this.#run(command);
    if (machine.state !== before) this.#ports.onState(machine.state);
  }

  #run(command: ConnectionCommand): void {
    switch (command.type) {
      case 'open':
        void this.#openSession();
        break;
      case 'restart-ice':
        void this.#restartIce();
        break;
      case 'close':
        this.#closeSession();
        break;
      case 'retry-in':
        this.#timer = setTimeout(() => {
          this.#feed({ type: 'retry-due' });
        }, command.ms);
    }
  }

  async #openSession(): Promise<void> {
    const { signal } = (this.#abort = new AbortController());
    try {
      const onPath = (event: PathEvent): void => {
        if (!signal.aborted) this.#pathChanged(event);
      };
      const session = await this.#ports.openSession(signal, onPath, false);
      if (signal.aborted) session.close();
      else this.#take(session);
    } catch (error) {
      if (!signal.aborted) this.#feed({ type: 'open-failed', problem: toProblem(error) });
    }
  }

  #take(session: Session): void {
    this.#session = session;
    this.#ports.onSession?.(session);
  }

  #pathChanged(event: PathEvent): void {
    const type = { up: 'path-up', lost: 'path-lost', closed: 'session-closed' } as const;
    this.#feed({ type: type[event] });
  }

  async #openBeside(): Promise<void> {
    const move = (this.#move = new AbortController());
    const { signal } = move;
    let pathIsUp = (): void => undefined;
    const up = new Promise<void>((resolve) => {
      pathIsUp = resolve;
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    let session: Session | null = null;
    try {
      const onPath = (event: PathEvent): void => {
        if (this.#abort === move) this.#pathChanged(event);
        else if (event === 'up') pathIsUp();
        else move.abort(new ProblemError(NO_PATH));
      };
      session = await this.#ports.openSession(signal, onPath, true);
      await up;
      signal.throwIfAborted();
      await this.#ports.isReady?.(session, signal);
      signal.throwIfAborted();
      this.#replaceSession(session, move);
    } catch (error) {
      session?.close();
      if (this.#move === move) this.#moveFailed(toProblem(error));
    }
  }

  #replaceSession(session: Session, move: AbortController): void {
    const before = this.#session;
    this.#abort.abort();
    this.#abort = move;
    this.#move = null;
    this.#take(session);
    before?.close();
    // What was being restarted is the other one's path.
    if (this.#machine.state.name === 'restarting') this.#feed({ type: 'path-up' });
    this.#ports.onMoved?.(session);
  }

  /** The present session goes on; when it ends, the next attempt says what is wrong. */
  #moveFailed(problem: Problem): void {
    this.#endMove();
    this.#moveFailures += 1;
    // LL-HLS that is offered instead is the listener's to take.
    if (isTransient(problem) && problem.offersHls !== true) {
      const ms = backoffMs(this.#moveFailures, problem.retryAfterMs, Math.random);
      this.#moveTimer = setTimeout(() => void this.#openBeside(), ms);
    }
    this.#ports.onMoveFailed?.(problem);
  }

  #endMove(): void {
    const move = this.#move;
    this.#move = null;
    move?.abort();
    clearTimeout(this.#moveTimer);
  }

  async #restartIce(): Promise<void> {
    const { signal } = this.#abort;
    try {
      await this.#session?.restartIce();
    } catch {
      if (!signal.aborted) this.#feed({ type: 'restart-failed' });
    }
  }

  #closeSession(): void {
    this.#abort.abort();
    this.#endMove();
    clearTimeout(this.#timer);
    this.#session?.close();
    this.#session = null;
  }
}
