import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Problem } from '../shared/problem.ts';
import {
  Handover,
  type Going,
  type Kind,
  type Reason,
  type Way,
  type WayEvents,
} from './handover.ts';
import type { PlayerState } from './state.ts';

const FULL: Problem = {
  status: 503,
  title: 'Full',
  detail: '',
  retryAfterMs: 5_000,
  offersHls: true,
};
const refused: PlayerState = { name: 'reconnecting', attempt: 1, inMs: 5_500, problem: FULL };

/** A player that becomes what the test says. */
class Fake implements Way {
  state: PlayerState = { name: 'connecting' };
  isOpen = false;

  constructor(
    readonly kind: Kind,
    readonly events: WayEvents,
  ) {}

  open(): void {
    this.isOpen = true;
  }

  reopen(): void {
    this.isOpen = true;
  }

  close(): void {
    this.isOpen = false;
  }

  become(state: PlayerState): void {
    this.state = state;
    this.events.onState();
  }

  play(): void {
    this.become({ name: 'playing' });
  }
}

let made: Fake[];
let shown: Fake[];
let going: Going;
let mayReturn: boolean;
let handover: Handover<Fake>;

function start(reason: Reason | null = null): Promise<void> {
  handover = new Handover<Fake>(reason, {
    make: (kind, events) => {
      const fake = new Fake(kind, events);
      made.push(fake);
      return Promise.resolve(fake);
    },
    show: (way) => shown.push(way),
    onState: () => undefined,
    onGoing: (now) => (going = now),
    mayReturn: () => mayReturn,
    random: () => 0.5,
  });
  return handover.open();
}

beforeEach(() => {
  vi.useFakeTimers();
  made = [];
  shown = [];
  mayReturn = true;
});

afterEach(() => {
  handover.close();
  vi.useRealTimers();
});

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
const last = (): Fake => {
  const way = made.at(-1);
  if (way === undefined) throw new Error('none was made');
  return way;
};
const kinds = () => made.map(({ kind }) => kind);

/** WebRTC was refused, and LL-HLS plays. */
async function spill(): Promise<Fake> {
  await start();
  last().become(refused);
  await pass(0);
  const hls = last();
  hls.play();
  await pass(1);
  return hls;
}

describe('Handover', () => {
  it('goes over to LL-HLS where WebRTC has no room, once that plays', async () => {
    await start();
    const webrtc = last();
    webrtc.become(refused);
    await pass(1);
    expect(kinds()).toEqual(['webrtc', 'hls']);
    expect(shown).toEqual([webrtc]);
    last().play();
    await pass(0.2);
    expect(shown).toHaveLength(1);
    await pass(1);
    expect(shown.at(-1)?.kind).toBe('hls');
    expect(webrtc.isOpen).toBe(false);
    expect(going).toEqual({ shown: 'hls', reason: 'full', next: null });
  });

  it('shows nothing that plays for a moment only', async () => {
    await start();
    last().become(refused);
    await pass(0);
    last().play();
    await pass(0.3);
    last().become({ name: 'waiting', hasStopped: true });
    await pass(5);
    expect(shown).toHaveLength(1);
  });

  it('stays with WebRTC if that plays first', async () => {
    await start();
    const webrtc = last();
    webrtc.become(refused);
    await pass(0);
    const hls = last();
    webrtc.play();
    expect(hls.isOpen).toBe(false);
    hls.play();
    await pass(60);
    expect(shown).toEqual([webrtc]);
    expect(going.reason).toBeNull();
  });

  it('returns to WebRTC when there is room, and closes LL-HLS behind it', async () => {
    const hls = await spill();
    await pass(22);
    expect(kinds()).toEqual(['webrtc', 'hls', 'webrtc']);
    const webrtc = last();
    expect(hls.isOpen && webrtc.isOpen).toBe(true);
    webrtc.become({ name: 'waiting', hasStopped: true });
    webrtc.play();
    await pass(0.6);
    expect(shown.at(-1)).toBe(webrtc);
    expect(hls.isOpen).toBe(true);
    await pass(0.4);
    expect(hls.isOpen).toBe(false);
    expect(going).toEqual({ shown: 'webrtc', reason: null, next: null });
  });

  it('asks a full node ever more seldom, and never within its Retry-After', async () => {
    await spill();
    const asked: number[] = [];
    const began = performance.now();
    for (let round = 0; round < 5; round++) {
      const before = made.length;
      while (made.length === before) await pass(0.5);
      asked.push(Math.round((performance.now() - began) / 1000));
      last().become(refused);
    }
    const pauses = asked.map((at, i) => at - (asked[i - 1] ?? 0));
    // 15, 30, 60, 90 and 90 s and the 5 s that it asked for, since half of each pause is random.
    for (const [place, pause] of [20, 35, 65, 95, 95].entries()) {
      expect(Math.abs((pauses[place] ?? 0) - pause)).toBeLessThanOrEqual(2);
    }
    expect(shown.at(-1)?.kind).toBe('hls');
  });

  it('gives up what does not play, and tries again', async () => {
    await spill();
    await pass(22);
    const webrtc = last();
    webrtc.become({ name: 'waiting', hasStopped: true });
    await pass(21);
    expect(webrtc.isOpen).toBe(false);
    await pass(60);
    expect(kinds()).toEqual(['webrtc', 'hls', 'webrtc', 'webrtc']);
  });

  it('waits with WebRTC rather than with LL-HLS', async () => {
    const hls = await spill();
    hls.become({ name: 'waiting', hasStopped: true });
    await pass(22);
    last().become({ name: 'waiting', hasStopped: true });
    await pass(1);
    expect(shown.at(-1)?.kind).toBe('webrtc');
  });

  it('does not return while nobody would see it', async () => {
    await spill();
    mayReturn = false;
    await pass(300);
    expect(made).toHaveLength(2);
    mayReturn = true;
    await pass(6);
    expect(made).toHaveLength(3);
  });

  it('stays with LL-HLS when that was chosen', async () => {
    await start('chosen');
    last().play();
    await pass(600);
    expect(kinds()).toEqual(['hls']);
  });

  it('goes where the viewer wants to', async () => {
    await start();
    last().play();
    handover.choose('hls');
    await pass(0);
    last().play();
    await pass(600);
    expect([kinds(), going.reason]).toEqual([['webrtc', 'hls'], 'chosen']);
    handover.choose('webrtc');
    await pass(0);
    last().play();
    await pass(1);
    expect(shown.map(({ kind }) => kind)).toEqual(['webrtc', 'hls', 'webrtc']);
  });

  it('a viewer who is sent away goes over while WebRTC still plays', async () => {
    await start();
    const webrtc = last();
    webrtc.play();
    webrtc.events.onSentAway(FULL);
    await pass(0);
    webrtc.play();
    last().play();
    await pass(0.6);
    expect(shown.at(-1)?.kind).toBe('hls');
    await pass(1);
    expect(webrtc.isOpen).toBe(false);
  });

  it('goes back in time and comes back live', async () => {
    await start();
    last().play();
    handover.rewind();
    await pass(0);
    last().play();
    await pass(1);
    expect(going).toEqual({ shown: 'rewound', reason: null, next: null });
    await pass(600);
    expect(kinds()).toEqual(['webrtc', 'rewound']);
    handover.goLive();
    await pass(0);
    last().play();
    await pass(1);
    expect(shown.map(({ kind }) => kind)).toEqual(['webrtc', 'rewound', 'webrtc']);
  });

  it('goes live at the end of what is recorded, with LL-HLS where WebRTC has no room', async () => {
    await start();
    last().play();
    handover.rewind();
    await pass(0);
    last().play();
    await pass(1);
    last().become({ name: 'ended' });
    await pass(0);
    last().become(refused);
    await pass(0);
    last().play();
    await pass(1);
    expect(kinds()).toEqual(['webrtc', 'rewound', 'webrtc', 'hls']);
    expect(going).toEqual({ shown: 'hls', reason: 'full', next: null });
  });

  it('rewinds anew to another moment', async () => {
    await start();
    last().play();
    handover.rewind();
    await pass(0);
    const first = last();
    handover.rewind();
    await pass(0);
    expect(first.isOpen).toBe(false);
    last().play();
    await pass(1);
    expect(shown.at(-1)).toBe(last());
  });

  it('leaves nothing behind', async () => {
    await spill();
    await pass(22);
    handover.close();
    await pass(600);
    expect(made.some(({ isOpen }) => isOpen)).toBe(false);
    expect(made).toHaveLength(3);
  });
});
