import { backoffMs } from '../shared/backoff.ts';
import type { Problem } from '../shared/problem.ts';
import { failedProblem, isGoodEnough, RETURN, RETURN_SOON, seeksHls } from './handover-rules.ts';
import type { PlayerState } from './state.ts';

/** How a channel can be watched: live, or what is recorded of the broadcast that is on. */
export type Kind = 'webrtc' | 'hls' | 'rewound';

/** One player and the element that it plays in. It says of each change of its state. */
export interface Way {
  readonly kind: Kind;
  readonly state: PlayerState;
  open: () => void;
  reopen: () => void;
  close: () => void;
}

/** What a way says. */
export interface WayEvents {
  onState: () => void;
  /** The node wants its viewer elsewhere, and there is no place there. What plays goes on for a while. */
  onSentAway: (problem: Problem) => void;
}

/** Why LL-HLS is what is shown: by choice, for want of WebRTC in the browser, of room, or of a path. */
export type Reason = 'chosen' | 'no-webrtc' | 'full' | 'no-path';

/** What is shown, and what is being prepared to take its place. */
export interface Going {
  shown: Kind;
  /** Null where it isn't. */
  reason: Reason | null;
  next: Kind | null;
}

export interface HandoverPorts<W extends Way> {
  /** Makes a player in the element that isn't seen, and leaves it closed. */
  make: (kind: Kind, events: WayEvents) => Promise<W>;
  /** This one is seen and heard from now on, in place of the one before it. */
  show: (way: W) => void;
  onState: (state: PlayerState) => void;
  onGoing: (going: Going) => void;
  /** Whether a return would be of use now: nobody sees it on a hidden page. */
  mayReturn: () => boolean;
  random?: () => number;
}

/** What is being prepared must play so long without a break before it is shown: buffers of sound fill meanwhile. */
const SETTLE_MS = 500;
/** What doesn't play by then is given up, and tried again later. */
const PREPARE_MS = 20_000;
/** The old player plays on for so long under the new one. */
const LINGER_MS = 250;
/** When a return would be of no use, it's looked again so much later. */
const LOOK_AGAIN_MS = 5_000;
/** WebRTC that played for so long has proved itself: pauses before a return begin anew. */
const PROVED_MS = 60_000;

/**
 * Owns the players of a channel: the one that is shown, and the one that is being prepared to take its place.
 *
 * Where WebRTC has no room or no path, LL-HLS is prepared and shown as soon as it plays; from then on WebRTC is asked for again
 * after longer and longer pauses, and shown as soon as it plays. Whatever fails meanwhile isn't seen. A viewer who chose LL-HLS
 * stays there.
 */
export class Handover<W extends Way> {
  readonly #ports: HandoverPorts<W>;
  readonly #random: () => number;
  #shown: W | null = null;
  #next: W | null = null;
  /** What was shown before, and plays on for a moment. */
  #leaving: W | null = null;
  /** Of what is prepared: a later preparation makes it void. */
  #preparation = 0;
  #preparing: Kind | null = null;
  #reason: Reason | null;
  /** The node has sent the viewer away: that WebRTC still plays is no reason to stay. */
  #isSentAway = false;
  #closed = true;
  #refusals = 0;
  /** LL-HLS is shown and fails, so that WebRTC is missed all the more. */
  #isUrgent = false;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;
  #prepareTimer: ReturnType<typeof setTimeout> | undefined;
  #returnTimer: ReturnType<typeof setTimeout> | undefined;
  #leaveTimer: ReturnType<typeof setTimeout> | undefined;
  #shownAt = 0;

  /** `reason`: why LL-HLS comes first; null: it doesn't. */
  constructor(reason: Reason | null, ports: HandoverPorts<W>) {
    this.#reason = reason;
    this.#ports = ports;
    this.#random = ports.random ?? Math.random;
  }

  get shown(): W | null {
    return this.#shown;
  }

  get state(): PlayerState {
    return this.#shown?.state ?? { name: 'connecting' };
  }

  get going(): Going {
    const shown = this.#shown?.kind ?? this.#liveKind;
    return { shown, reason: this.#reason, next: this.#preparing };
  }

  /** Begins, or tries again now. */
  async open(): Promise<void> {
    this.#closed = false;
    const way = this.#shown ?? (await this.#makeFirst());
    if (this.#isClosed()) return;
    way.open();
    if (!this.#returns()) return;
    // The viewer, or the network that is back, speaks for another try.
    this.#refusals = 0;
    this.#returnLater(null);
  }

  reopen(): void {
    this.#shown?.reopen();
  }

  /** Ends all sessions; `open` makes them anew. */
  close(): void {
    this.#closed = true;
    this.#drop();
    this.#letGo();
    clearTimeout(this.#returnTimer);
    this.#shown?.close();
  }

  /** Goes back to a moment that `make` knows, and stays in the recording until the viewer wants to be live, or to its end. */
  rewind(): void {
    clearTimeout(this.#returnTimer);
    this.#drop();
    this.#prepare('rewound');
  }

  /** Comes back from the recording. */
  goLive(): void {
    if (this.#shown?.kind === 'rewound') this.#prepare(this.#liveKind);
    else if (this.#preparing === 'rewound') this.#drop();
  }

  /** The viewer chooses: LL-HLS for good, or WebRTC whenever it can be had. */
  choose(kind: 'webrtc' | 'hls'): void {
    if (this.#shown?.kind === 'rewound') {
      this.#reason = kind === 'hls' ? 'chosen' : null;
      this.goLive();
    } else if (kind === 'hls') {
      this.#reason = 'chosen';
      clearTimeout(this.#returnTimer);
      if (this.#shown?.kind === 'hls') this.#drop();
      else this.#prepare('hls');
    } else if (this.#shown?.kind === 'hls') {
      if (this.#reason === 'chosen') this.#reason = 'full';
      this.#refusals = 0;
      this.#prepare('webrtc');
    } else {
      this.#reason = null;
      this.#drop();
    }
    this.#tellGoing();
  }

  /** How it's watched live, as far as is known. */
  get #liveKind(): Kind {
    return this.#reason === null ? 'webrtc' : 'hls';
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  async #makeFirst(): Promise<W> {
    const way = await this.#make(this.#liveKind);
    // Asked twice meanwhile, it's the first one's turn.
    if (this.#shown === null) this.#take(way);
    return this.#shown ?? way;
  }

  #make(kind: Kind): Promise<W> {
    let mine: W | null = null;
    return this.#ports
      .make(kind, {
        onState: () => {
          if (mine !== null && mine === this.#shown) this.#shownChanged(mine);
          else if (mine !== null && mine === this.#next) this.#nextChanged(mine);
        },
        onSentAway: (problem) => {
          if (mine !== null && mine === this.#shown && problem.offersHls === true) {
            this.#isSentAway = true;
            this.#reason = 'full';
            this.#prepare('hls');
          }
        },
      })
      .then((way) => (mine = way));
  }

  #shownChanged(way: W): void {
    const { state } = way;
    this.#ports.onState(state);
    if (this.#closed) return;
    if (way.kind === 'webrtc') this.#webrtcChanged(state);
    else if (way.kind === 'hls') this.#hlsChanged(state);
    else if (state.name === 'ended') this.goLive();
  }

  #webrtcChanged(state: PlayerState): void {
    const reason = seeksHls(state);
    if (reason !== null) {
      if (this.#preparing === null) {
        this.#reason = reason;
        this.#prepare('hls');
      }
    } else if (state.name === 'playing' && this.#isPassing()) {
      this.#reason = null;
      if (this.#preparing === 'hls') this.#drop();
    }
  }

  #hlsChanged(state: PlayerState): void {
    const fails = failedProblem(state) !== undefined;
    if (state.name === 'playing') this.#isUrgent = false;
    else if (fails && !this.#isUrgent && this.#returns()) {
      this.#isUrgent = true;
      this.#refusals = 0;
      this.#returnLater(null);
    }
  }

  /** Whether what LL-HLS is prepared for is over once WebRTC plays. */
  #isPassing(): boolean {
    return !this.#isSentAway && this.#reason !== 'chosen';
  }

  /** Prepares a player beside the one that is shown. */
  #prepare(kind: Kind): void {
    if (this.#preparing === kind) return;
    this.#drop();
    this.#letGo();
    const preparation = this.#preparation;
    this.#preparing = kind;
    this.#tellGoing();
    this.#prepareTimer = setTimeout(() => {
      this.#failed(null);
    }, PREPARE_MS);
    this.#make(kind).then(
      (way) => {
        if (preparation !== this.#preparation) {
          way.close();
          return;
        }
        this.#next = way;
        way.open();
      },
      () => {
        // Its code couldn't be loaded.
        if (preparation === this.#preparation) this.#failed(null);
      },
    );
  }

  #nextChanged(way: W): void {
    const problem = failedProblem(way.state);
    if (problem !== undefined) {
      this.#failed(problem);
    } else if (!isGoodEnough(way, this.state)) {
      clearTimeout(this.#settleTimer);
      this.#settleTimer = undefined;
    } else {
      this.#settleTimer ??= setTimeout(() => {
        this.#switch(way);
      }, SETTLE_MS);
    }
  }

  #switch(way: W): void {
    const before = this.#shown;
    // What is shown now mustn't be closed with what was prepared.
    this.#next = null;
    this.#drop();
    this.#take(way);
    this.#leaving = before;
    this.#leaveTimer = setTimeout(() => {
      this.#letGo();
    }, LINGER_MS);
    if (way.kind === 'webrtc') this.#reason = null;
    else if (this.#returns()) this.#returnLater(failedProblem(before?.state)?.retryAfterMs ?? null);
    this.#tellGoing();
  }

  #letGo(): void {
    clearTimeout(this.#leaveTimer);
    this.#leaving?.close();
    this.#leaving = null;
  }

  #take(way: W): void {
    if (this.#shown?.kind === 'webrtc' && performance.now() - this.#shownAt > PROVED_MS) {
      this.#refusals = 0;
    }
    this.#shown = way;
    this.#shownAt = performance.now();
    this.#isSentAway = this.#isUrgent = false;
    this.#ports.show(way);
    this.#ports.onState(way.state);
    this.#tellGoing();
  }

  #failed(problem: Problem | null): void {
    const failed = this.#preparing;
    this.#drop();
    if (failed === 'webrtc' && this.#shown?.kind === 'rewound') {
      this.#reason = 'full';
      this.#prepare('hls');
    } else if (this.#returns()) this.#returnLater(problem?.retryAfterMs ?? null);
    this.#tellGoing();
  }

  /** Lets go what was being prepared. */
  #drop(): void {
    this.#preparation += 1;
    this.#preparing = null;
    clearTimeout(this.#settleTimer);
    clearTimeout(this.#prepareTimer);
    this.#settleTimer = undefined;
    const next = this.#next;
    this.#next = null;
    next?.close();
    this.#tellGoing();
  }

  /** Whether WebRTC is missed. */
  #returns(): boolean {
    const isForced = this.#reason === 'full' || this.#reason === 'no-path';
    return this.#shown?.kind === 'hls' && isForced && !this.#closed;
  }

  #returnLater(retryAfterMs: number | null): void {
    clearTimeout(this.#returnTimer);
    this.#refusals += 1;
    const pauses = this.#isUrgent ? RETURN_SOON : RETURN;
    this.#returnIn(backoffMs(this.#refusals, retryAfterMs, this.#random, pauses));
  }

  #returnIn(ms: number): void {
    this.#returnTimer = setTimeout(() => {
      if (!this.#returns() || this.#preparing !== null) return;
      if (this.#ports.mayReturn() && this.state.name !== 'ended') this.#prepare('webrtc');
      else this.#returnIn(LOOK_AGAIN_MS);
    }, ms);
  }

  #tellGoing(): void {
    this.#ports.onGoing(this.going);
  }
}
