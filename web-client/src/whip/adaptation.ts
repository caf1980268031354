import { Limiter, type Verdict } from './limiter.ts';
import type { Step } from './settings.ts';

/** What asks for less than was chosen. */
export type Reason = 'uplink' | 'computer' | 'battery';

/** One second of a broadcast, as the browser's statistics tell it. */
export interface Observation {
  /** Bit/s that the browser believes the uplink carries; 0 where it doesn't say. */
  available: number;
  /** Bit/s of video that leave. */
  sent: number;
  /** Share of packets that the node missed, 0 to 1. */
  loss: number;
  /** What the browser says holds its encoder back: `none`, `cpu`, `bandwidth` or `other`. */
  limitation: string;
  /** Frames a second that the largest running layer is encoded at, and that the source gives (0 if not told). */
  fps: number;
  sourceFps: number;
  /** Milliseconds to encode one frame, all layers. */
  encodeMs: number;
  battery: Battery | null;
}

/** `level` is from 0 to 1. */
export interface Battery {
  charging: boolean;
  level: number;
}

/** A new path takes this long to be measured: estimates begin low, and layers start one after the other. */
const SETTLE_MS = 12_000;
/** A step fits if this share of its bitrate is available: encoders make do with a little less. */
const FITS = 0.8;
/** Below this share of the present step's bitrate the picture suffers. */
const SUFFERS = 0.65;
/** To go up, so much of the next step's bitrate has to be available. */
const ROOM = 1.1;
/** Browsers hardly measure beyond what they send: so much of it is as good as more. */
const AS_FAR_AS_SEEN = 1.6;
/** Loss above which an uplink whose rate isn't told counts as too full, and below which it is not. */
const FULL_LOSS = 0.1;
const CLEAN_LOSS = 0.02;
/** Encoding at less than this share of the frame rate, while the source gives all, is a computer that can't keep up. */
const BEHIND = 0.7;
/** Share of the time between frames that encoding may take, and below which there is room for more. */
const BUSY = 0.9;
const IDLE = 0.5;
/** Battery levels below which one step, then two, are saved; what was saved comes back above a little more. */
const LOW_BATTERY = 0.2;
const EMPTY_BATTERY = 0.1;
const BATTERY_HYSTERESIS = 0.05;

/**
 * Decides which step of a ladder is sent: the lowest that the uplink, the computer or the battery asks for.
 *
 * Call `begin` when a session's path is up, and `observe` once a second after that; `step` and `reason` are the result.
 */
export class Adaptation {
  #steps: readonly Step[];
  readonly #uplink = new Limiter({ downMs: 3_000, upMs: 8_000 });
  readonly #computer = new Limiter({ downMs: 4_000, upMs: 20_000 });
  #battery = 0;
  #settledAt = Infinity;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** How many steps below the streamer's choice. */
  get level(): number {
    const asked = Math.max(this.#uplink.level, this.#computer.level, this.#battery);
    return Math.min(asked, this.#steps.length - 1);
  }

  /** What is sent now. */
  get step(): Step {
    const step = this.#steps[this.level];
    if (step === undefined) throw new Error('A ladder has at least one step.');
    return step;
  }

  /** What asks for less than was chosen, the strongest; null while all that was chosen is sent. */
  get reason(): Reason | null {
    const { level } = this;
    if (level === 0) return null;
    if (this.#uplink.level >= level) return 'uplink';
    return this.#computer.level >= level ? 'computer' : 'battery';
  }

  /** Whether the path has been measured. */
  settled(now: number): boolean {
    return now >= this.#settledAt;
  }

  /** A path came up. */
  begin(now: number): void {
    this.#settledAt = now + SETTLE_MS;
    this.#uplink.restart();
    this.#computer.restart();
  }

  /** Other settings: begins with all that was chosen. */
  choose(steps: readonly Step[]): void {
    this.#steps = steps;
    this.#uplink.reset();
    this.#computer.reset();
    this.#battery = 0;
  }

  /** Takes one second in. Returns whether another step is to be sent. */
  observe(now: number, seen: Observation): boolean {
    const before = this.level;
    this.#battery = batteryLevel(this.#battery, seen.battery);
    if (this.settled(now)) {
      const { level, step } = this;
      const levels = { present: level, lowest: this.#steps.length - 1 };
      const uplink = uplinkVerdict(seen, step, this.#steps[level - 1]);
      const computer = computerVerdict(seen, step);
      // That there is room at this step says nothing of the better one that a limit allows already.
      const heard = (limiter: Limiter, verdict: Verdict): Verdict =>
        verdict === 'room' && limiter.level !== level ? 'holds' : verdict;
      this.#uplink.judge(now, heard(this.#uplink, uplink), {
        ...levels,
        fitting: this.#fitting(seen),
      });
      this.#computer.judge(now, heard(this.#computer, computer), levels);
    }
    return this.level !== before;
  }

  /** The best level that the uplink carries, as far as that is known. */
  #fitting({ available }: Observation): number {
    if (available === 0) return 0;
    const fitting = this.#steps.findIndex(({ bitrate }) => bitrate * FITS <= available);
    return fitting === -1 ? this.#steps.length - 1 : fitting;
  }
}

function uplinkVerdict(seen: Observation, step: Step, above: Step | undefined): Verdict {
  const { available, limitation, loss, sent } = seen;
  if (available === 0) {
    if (loss > FULL_LOSS) return 'over';
    return loss < CLEAN_LOSS && limitation !== 'bandwidth' ? 'room' : 'holds';
  }
  // A picture that is easy to encode needs less than its step allows.
  if (available < step.bitrate * SUFFERS && limitation !== 'none') return 'over';
  if (above === undefined) return 'holds';
  const wanted = Math.min(above.bitrate * ROOM, sent * AS_FAR_AS_SEEN);
  return available >= wanted ? 'room' : 'holds';
}

function computerVerdict(seen: Observation, step: Step): Verdict {
  const { fps, sourceFps, encodeMs, limitation } = seen;
  const between = 1000 / step.fps;
  const given = Math.min(sourceFps, step.fps);
  // A full uplink makes encoders drop frames, too.
  const behind = limitation !== 'bandwidth' && fps > 0 && fps < given * BEHIND;
  if (limitation === 'cpu' || behind || encodeMs > between * BUSY) return 'over';
  return encodeMs < between * IDLE && fps >= given * BUSY ? 'room' : 'holds';
}

function batteryLevel(before: number, battery: Battery | null): number {
  if (battery === null || battery.charging) return 0;
  const { level } = battery;
  const asks = (limit: number, steps: number): boolean =>
    level < limit + (before >= steps ? BATTERY_HYSTERESIS : 0);
  if (asks(EMPTY_BATTERY, 2)) return 2;
  return asks(LOW_BATTERY, 1) ? 1 : 0;
}
