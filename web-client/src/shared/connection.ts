import {
  OFF,
  step,
  type ConnectionCommand,
  type ConnectionEvent,
  type ConnectionMachine,
  type ConnectionState,
} from './connection-state.ts';
import type { PathEvent, PeerSession } from './peer-session.ts';
import { toProblem } from './problem.ts';

/** What a connection needs from its surroundings. */
export interface ConnectionPorts {
  openSession: (signal: AbortSignal, onPath: (event: PathEvent) => void) => Promise<PeerSession>;
  onState: (state: ConnectionState) => void;
}

/**
 * Keeps one session open: owns the state machine, the session and the retry timer.
 *
 * `open` it, tell it with `proved` when media flows, and `close` it in the end.
 */
export class Connection {
  readonly #ports: ConnectionPorts;
  #machine: ConnectionMachine = OFF;
  #session: PeerSession | null = null;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: ConnectionPorts) {
    this.#ports = ports;
  }

  get state(): ConnectionState {
    return this.#machine.state;
  }

  get session(): PeerSession | null {
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
    const onPath = (event: PathEvent): void => {
      if (signal.aborted) return;
      const type = { up: 'path-up', lost: 'path-lost', closed: 'session-closed' } as const;
      this.#feed({ type: type[event] });
    };
    try {
      const session = await this.#ports.openSession(signal, onPath);
      if (signal.aborted) session.close();
      else this.#session = session;
    } catch (error) {
      if (!signal.aborted) this.#feed({ type: 'open-failed', problem: toProblem(error) });
    }
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
    clearTimeout(this.#timer);
    this.#session?.close();
    this.#session = null;
  }
}
