import {
  OFF,
  step,
  type ConnectionCommand,
  type ConnectionEvent,
  type ConnectionMachine,
  type ConnectionState,
} from './connection-state.ts';
import type { PathEvent } from './peer-session.ts';
import { toProblem, type Problem } from './problem.ts';

/** What a connection needs of a session. */
export interface KeptSession {
  restartIce: () => Promise<void>;
  close: () => void;
}

/** What a connection needs from its surroundings. */
export interface ConnectionPorts<Session extends KeptSession> {
  openSession: (signal: AbortSignal, onPath: (event: PathEvent) => void) => Promise<Session>;
  onState: (state: ConnectionState) => void;
  /** Another session has taken the place of the one that was up. */
  onMoved?: () => void;
  /** None could be opened beside it: it goes on. */
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
   * Goes over to another session. The present one plays on until the path of the other is up, and beyond that if there is
   * none. Without a session that is up the next attempt is as good.
   */
  move(): void {
    if (this.#machine.state.name === 'up') void this.#openBeside();
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
      const session = await this.#ports.openSession(signal, (event) => {
        if (!signal.aborted) this.#pathChanged(event);
      });
      if (signal.aborted) session.close();
      else this.#session = session;
    } catch (error) {
      if (!signal.aborted) this.#feed({ type: 'open-failed', problem: toProblem(error) });
    }
  }

  #pathChanged(event: PathEvent): void {
    const type = { up: 'path-up', lost: 'path-lost', closed: 'session-closed' } as const;
    this.#feed({ type: type[event] });
  }

  async #openBeside(): Promise<void> {
    this.#move?.abort();
    const move = (this.#move = new AbortController());
    let session: Session | null = null;
    let isUp = false;
    const arrive = (): void => {
      if (isUp && session !== null && this.#move === move) this.#replaceSession(session, move);
    };
    try {
      session = await this.#ports.openSession(move.signal, (event) => {
        if (this.#abort === move) this.#pathChanged(event);
        else if (event === 'up') isUp = true;
        else move.abort();
        arrive();
        if (move.signal.aborted) session?.close();
      });
      if (move.signal.aborted) session.close();
      arrive();
    } catch (error) {
      // The present session plays on; when it ends, the next attempt says what is wrong.
      if (this.#move === move) this.#ports.onMoveFailed?.(toProblem(error));
    }
  }

  #replaceSession(session: Session, move: AbortController): void {
    const before = this.#session;
    this.#abort.abort();
    this.#abort = move;
    this.#move = null;
    this.#session = session;
    before?.close();
    this.#ports.onMoved?.();
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
    this.#move?.abort();
    this.#move = null;
    clearTimeout(this.#timer);
    this.#session?.close();
    this.#session = null;
  }
}
