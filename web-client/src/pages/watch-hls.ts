import type { Engine, EngineEvents, Playback } from '../hls/engine.ts';
import { canPlayNatively, Native } from '../hls/native.ts';
import { HlsPlayer } from '../hls/player.ts';
import { playlistUrl } from '../hls/playlist.ts';
import { HlsSession } from '../hls/session.ts';
import type { PageAddress } from '../shared/address.ts';
import { byId, fillList, setText } from '../shared/dom.ts';
import { formatBehind, formatBitrate, formatMs } from '../shared/format.ts';
import { Controls } from './watch-controls.ts';
import { Facts } from './watch-facts.ts';
import { expose, listen, page, pageLoaded, showState } from './watch-page.ts';
import { QualityMenu } from './watch-quality.ts';

/** How often figures are written anew: every fourth look at the picture. */
const TICKS_PER_FIGURES = 4;

/** What is known of what plays. */
interface HlsStats {
  player: string;
  /** How long ago what is shown now was on air. */
  latencyMs: number | null;
  bufferMs: number;
  /** Bit/s. */
  bitrate: number;
  bandwidth: number;
  video: { width: number; height: number; framesDecoded: number; framesDropped: number };
}

/** Plays a channel's LL-HLS. */
export function watchHls(address: PageAddress): void {
  let engine: Engine | null = null;
  let stats: HlsStats | null = null;
  let ticks = 0;
  // What is remembered is the size in lines, so the choice holds for both players.
  const quality = new QualityMenu('', (_url, choice) => {
    engine?.choose(typeof choice.rid === 'string' ? choice.rid : null);
    return Promise.resolve();
  });
  const controls = new Controls(quality);
  const facts = new Facts(address);
  const source = {
    video: page.video,
    url: playlistUrl(location.origin, address.channel),
    token: address.token,
  };

  const start = async (events: EngineEvents): Promise<Engine> => {
    await pageLoaded();
    const made = (engine = await makeEngine(source, events));
    void controls.startPlayback();
    facts.refresh();
    return made;
  };

  const player: HlsPlayer = new HlsPlayer({
    openSession: (signal, onPath, onEnded) =>
      HlsSession.open({
        ...source,
        signal,
        onPath,
        onEnded,
        start,
        onLayers: (layers) => {
          quality.sessionOpened(source.url);
          quality.setLayers(layers);
        },
        isLive: () => facts.isLive(),
      }),
    isLive: () => facts.isLive(),
    look: () => ({ position: page.video.currentTime, isPaused: page.video.paused }),
    onState: (state) => {
      showState(state, address.channel);
    },
    onTick: () => {
      ticks += 1;
      const playing = player.session?.engine ?? null;
      if (ticks % TICKS_PER_FIGURES !== 0 || playing === null) return;
      stats = read(playing);
      showLatency(player.state.name === 'playing' ? stats.latencyMs : null);
      if (controls.statsShown) show(stats);
    },
  });

  expose({
    state: () => player.state,
    stats: () => stats,
    quality: () => quality.view,
    viewers: () => facts.viewers,
  });
  listen(player);
  player.open();
}

/** hls.js where it can play, since it takes parts as they come; else the browser itself. */
async function makeEngine(source: Playback, events: EngineEvents): Promise<Engine> {
  if ('MediaSource' in window || 'ManagedMediaSource' in window) {
    const { canPlay, HlsJs } = await import('../hls/hls-js.ts');
    if (canPlay()) return new HlsJs(source, events);
  }
  if (canPlayNatively(source.video)) return new Native(source, events);
  throw new Error('It plays no HLS. Another browser does.');
}

function showLatency(latencyMs: number | null): void {
  setText(page.latency, latencyMs === null ? '' : formatBehind(latencyMs));
}

function read(engine: Engine): HlsStats {
  const { video } = page;
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  const { buffered, currentTime } = video;
  const end = buffered.length > 0 ? buffered.end(buffered.length - 1) : currentTime;
  return {
    player: engine.name,
    latencyMs: engine.latencyMs(),
    bufferMs: Math.max(0, (end - currentTime) * 1_000),
    bitrate: engine.bitrate(),
    bandwidth: engine.bandwidth(),
    video: {
      width: video.videoWidth,
      height: video.videoHeight,
      framesDecoded: totalVideoFrames,
      framesDropped: droppedVideoFrames,
    },
  };
}

function show(stats: HlsStats): void {
  const { video } = stats;
  fillList(byId('stats-list', HTMLDListElement), [
    ['Behind live', formatMs(stats.latencyMs)],
    ['Buffer', formatMs(stats.bufferMs)],
    ['Picture', video.height > 0 ? `${video.width}×${video.height}` : '–'],
    ['Bitrate', stats.bitrate > 0 ? formatBitrate(stats.bitrate) : '–'],
    ['Bandwidth', stats.bandwidth > 0 ? formatBitrate(stats.bandwidth) : '–'],
    ['Frames', `${video.framesDecoded} decoded, ${video.framesDropped} dropped`],
    ['Player', stats.player],
  ]);
}
