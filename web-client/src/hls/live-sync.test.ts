import { beforeEach, describe, expect, it } from 'vitest';
import { LiveSync, type Look, type Step } from './live-sync.ts';

const LOOK_MS = 250;
const PART_S = 0.2;
const TARGET_S = 0.64;

/** A live player and its path, in steps of a look: what is published at an even pace arrives unless the path is cut. */
class Model {
  readonly sync = new LiveSync();
  now = 0;
  live = 20;
  position = 20 - TARGET_S;
  loaded = 20;
  /** Parts come, and playlists. */
  isOpen = true;
  hasNews = true;
  /** The player doesn't move, whatever it has. */
  isBroken = false;
  isPaused = false;
  newsAt = 0;
  edge = 20;
  steps: Step['name'][] = [];
  #isDry = false;

  look(): Look {
    return {
      position: this.position,
      isPaused: this.isPaused,
      behind: { s: this.edge - this.position, ageS: (this.now - this.newsAt) / 1_000 },
      target: TARGET_S,
      ahead: this.loaded - this.position,
    };
  }

  pass(seconds: number): void {
    for (let ms = 0; ms < seconds * 1_000; ms += LOOK_MS) this.#step();
  }

  get behind(): number {
    return this.live - this.position;
  }

  #step(): void {
    const step = this.sync.observe(this.now, this.look());
    if (step.name !== 'play') this.steps.push(step.name);
    if (step.name === 'jump') this.position = this.live - TARGET_S;
    const rate = step.name === 'play' ? step.rate : 1;
    this.now += LOOK_MS;
    this.live += LOOK_MS / 1_000;
    if (this.hasNews) {
      this.edge = Math.floor(this.live / PART_S) * PART_S;
      this.newsAt = this.now - (this.live - this.edge) * 1_000;
    }
    if (this.isOpen) this.loaded = this.edge;
    if (this.isBroken || this.isPaused) return;
    const wanted = this.position + (rate * LOOK_MS) / 1_000;
    if (wanted > this.loaded && !this.#isDry) this.sync.stalled(this.now);
    this.#isDry = wanted > this.loaded;
    this.position = Math.min(wanted, Math.max(this.loaded, this.position));
  }
}

let model: Model;

beforeEach(() => {
  model = new Model();
});

describe('LiveSync', () => {
  it('lets a player be that is where it should be', () => {
    model.pass(60);
    expect(model.behind).toBeCloseTo(TARGET_S, 1);
    expect(model.steps).toEqual([]);
  });

  it('catches up what was lost when the path gave nothing for a moment', () => {
    model.isOpen = false;
    model.pass(1.5);
    model.isOpen = true;
    model.pass(1);
    expect(model.behind).toBeGreaterThan(TARGET_S + 0.6);
    model.pass(30);
    expect(model.behind).toBeLessThan(TARGET_S + 0.25);
    model.pass(60);
    expect(model.behind).toBeLessThan(TARGET_S + 0.15);
    expect(model.steps).toEqual([]);
  });

  it('stays further behind on a path that breaks off again and again', () => {
    for (let i = 0; i < 5; i += 1) {
      model.isOpen = false;
      model.pass(1.5);
      model.isOpen = true;
      model.pass(15);
    }
    expect(model.behind).toBeGreaterThan(TARGET_S + 0.35);
    expect(model.behind).toBeLessThan(TARGET_S + 1.2);
  });

  it('jumps when it is far behind, once', () => {
    model.isOpen = false;
    model.pass(4.5);
    model.isOpen = true;
    model.pass(20);
    expect(model.steps).toEqual(['jump']);
    expect(model.behind).toBeLessThan(1);
  });

  it('goes on live after a pause', () => {
    model.isPaused = true;
    model.pass(60);
    expect(model.steps).toEqual([]);
    model.isPaused = false;
    model.pass(2);
    expect(model.steps).toEqual(['jump']);
  });

  it('mends a player that stands though the broadcast goes on: by more and more', () => {
    model.isBroken = true;
    model.pass(4);
    expect(model.steps).toEqual([]);
    model.pass(17);
    expect(model.steps).toEqual(['load-anew', 'begin-anew', 'give-up', 'give-up']);
  });

  it('begins with the first remedy again once it was mended', () => {
    model.isBroken = true;
    model.pass(6);
    model.isBroken = false;
    model.pass(10);
    model.isBroken = true;
    model.pass(6);
    expect(model.steps.filter((name) => name !== 'jump')).toEqual(['load-anew', 'load-anew']);
  });

  it('waits for a broadcast that has stopped', () => {
    model.hasNews = false;
    model.pass(60);
    expect(model.steps).toEqual([]);
  });
});
