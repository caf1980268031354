import { describe, expect, it } from 'vitest';
import type { Report } from './protocol.ts';
import type { Sample } from './report.ts';
import { Reporter, reportsUrl } from './reporter.ts';

const playing: Sample = {
  player: 'webrtc',
  picture: 'moves',
  freezes: 0,
  frozenMs: 0,
  latencyMs: 180,
  height: 720,
};

interface Moments {
  pictureAt?: number | null;
  broadcastAt?: number | null;
}

function setUp({ pictureAt = 400, broadcastAt = -60_000 }: Moments = {}) {
  const world = {
    now: 0,
    isChatOpen: true,
    readyAt: 300 as number | null,
    pictureAt,
    sample: playing as Sample | null,
  };
  const said: Report[] = [];
  const sent: Report[] = [];
  const reporter = new Reporter(
    {
      sample: () => world.sample,
      pictureAt: () => world.pictureAt,
      broadcastAt: () => broadcastAt,
      readyAt: () => world.readyAt,
      say: (report) => {
        if (world.isChatOpen) said.push(report);
        return world.isChatOpen;
      },
      send: (report) => sent.push(report),
    },
    0,
  );
  /** Looks each second. */
  const watch = (seconds: number): void => {
    for (let i = 0; i < seconds; i += 1) {
      reporter.look(world.now);
      world.now += 1_000;
    }
  };
  const played = (): number =>
    [...said, ...sent].reduce((sum, report) => sum + report.played_ms + report.stalled_ms, 0);
  return { world, said, sent, reporter, watch, played };
}

describe('Reporter', () => {
  it('says nothing in the chat of a page that is left: it may not leave that any more', () => {
    const { world, said, sent, watch, reporter } = setUp();
    watch(10);
    reporter.leave(world.now);
    expect(said).toEqual([]);
    expect(sent.map((report) => report.played_ms)).toEqual([10_000]);
  });

  it('says in the chat each 10 s how the player did', () => {
    const { said, sent, watch } = setUp();
    watch(31);
    expect(said.map((report) => report.played_ms)).toEqual([10_000, 10_000, 10_000]);
    expect(sent).toEqual([]);
  });

  it('tells once how soon the picture came, when there was something to see', () => {
    const { world, said, watch } = setUp({ pictureAt: 400.4 });
    world.sample = { ...playing, picture: 'none' };
    watch(15);
    world.sample = playing;
    watch(30);
    expect(said.map((report) => report.startup_ms)).toEqual([400, undefined, undefined]);
  });

  it('tells no time of those who waited for the broadcast, and none of a later one', () => {
    const startup = (pictureAt: number, broadcastAt: number | null): number | undefined => {
      const { said, watch } = setUp({ pictureAt, broadcastAt });
      watch(11);
      return said[0]?.startup_ms;
    };
    expect(startup(65_000, 64_700)).toBe(300);
    expect(startup(65_000, null)).toBe(65_000);
    expect(startup(500, 9_000)).toBe(500);
    expect(startup(3_600_000, null)).toBe(600_000);
  });

  it('tells how soon it came with the first report after it', () => {
    const { world, said, watch } = setUp({ pictureAt: null });
    watch(11);
    world.pictureAt = 10_500;
    watch(10);
    expect(said.map((report) => report.startup_ms)).toEqual([undefined, 10_500]);
  });

  it('sends what the chat can’t say', () => {
    const { world, said, sent, watch } = setUp();
    world.isChatOpen = false;
    watch(11);
    expect(said).toEqual([]);
    expect(sent).toMatchObject([{ played_ms: 10_000, startup_ms: 400 }]);
    world.isChatOpen = true;
    watch(10);
    expect(said).toMatchObject([{ played_ms: 10_000 }]);
    expect(said[0]).not.toHaveProperty('startup_ms');
  });

  it('sends what a new connection wouldn’t be believed', () => {
    const { world, said, sent, watch } = setUp();
    world.readyAt = 7_000;
    watch(11);
    expect(sent).toMatchObject([{ played_ms: 10_000 }]);
    world.readyAt = null;
    watch(10);
    world.readyAt = 21_000;
    watch(10);
    expect(sent).toHaveLength(2);
    expect(said).toMatchObject([{ played_ms: 10_000 }]);
  });

  it('tells of each player what it did', () => {
    const { world, said, sent, reporter, watch } = setUp();
    watch(6);
    reporter.flush(world.now);
    world.sample = { ...playing, player: 'hls', height: 480 };
    watch(11);
    expect(sent).toMatchObject([{ player: 'webrtc', played_ms: 6_000, height: 720 }]);
    expect(said).toMatchObject([{ player: 'hls', played_ms: 10_000, height: 480 }]);
  });

  it('sends what nobody was told when the page is hidden or left, and nothing twice', () => {
    const { world, said, sent, reporter, watch, played } = setUp();
    watch(14);
    reporter.flush(world.now);
    expect(sent.map((report) => report.played_ms)).toEqual([4_000]);
    // Browsers say both, in either order.
    reporter.leave(world.now);
    reporter.flush(world.now);
    expect(said).toHaveLength(1);
    expect(sent).toHaveLength(1);
    expect(played()).toBe(14_000);
  });

  it('counts all that was watched, however often the page is hidden', () => {
    const { world, sent, reporter, watch, played } = setUp();
    for (let i = 0; i < 7; i += 1) {
      watch(3);
      reporter.flush(world.now + 400);
      reporter.flush(world.now + 500);
    }
    expect(sent).toHaveLength(7);
    reporter.leave(world.now + 500);
    expect(played()).toBe(7 * 3_000 + 500);
  });

  it('doesn’t send a blink when hidden, but all when left', () => {
    const { world, sent, reporter, watch } = setUp();
    watch(1);
    reporter.flush(700);
    expect(sent).toEqual([]);
    world.now = 900;
    reporter.leave(world.now);
    expect(sent).toMatchObject([{ played_ms: 900, startup_ms: 400 }]);
  });

  it('tells nothing of the time that a page was away', () => {
    const { world, reporter, watch, played } = setUp();
    watch(5);
    reporter.leave(world.now);
    world.now += 3_600_000;
    watch(5);
    reporter.leave(world.now);
    expect(played()).toBe(10_000);
  });

  it('has nothing to tell without a player', () => {
    const { world, said, sent, reporter, watch } = setUp();
    world.sample = null;
    watch(20);
    reporter.leave(world.now);
    expect([...said, ...sent]).toEqual([]);
  });
});

describe('reportsUrl', () => {
  it('names the channel, and the token if there is one', () => {
    expect(reportsUrl('http://node', 'demo', '')).toBe('http://node/api/v1/channels/demo/reports');
    expect(reportsUrl('http://node', 'demo', 'a.b&c')).toBe(
      'http://node/api/v1/channels/demo/reports?token=a.b%26c',
    );
  });
});
