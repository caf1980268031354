import { readAddress, type PageAddress } from '../shared/address.ts';
import { byId, setText } from '../shared/dom.ts';
import { formatMs } from '../shared/format.ts';
import { Endpoint, whepEndpoint } from '../whep/endpoint.ts';
import { noticeOf } from '../whep/notices.ts';
import { Player } from '../whep/player.ts';
import type { PlayerState } from '../whep/player-state.ts';
import { openViewerSession } from '../whep/session.ts';
import type { ViewerStats } from '../whep/viewer-stats.ts';
import { Companion } from './watch-companion.ts';
import { Controls } from './watch-controls.ts';
import { Facts } from './watch-facts.ts';
import { Frames, type Timings } from './watch-frames.ts';
import { QualityMenu, type QualityView } from './watch-quality.ts';
import { showStats } from './watch-stats.ts';

const page = {
  root: document.documentElement,
  video: byId('video', HTMLVideoElement),
  spinner: byId('notice-spinner', HTMLElement),
  noticeTitle: byId('notice-title', HTMLElement),
  noticeText: byId('notice-text', HTMLElement),
  retry: byId('retry', HTMLButtonElement),
  badge: byId('badge', HTMLElement),
  latency: byId('latency', HTMLElement),
};

function watch(address: PageAddress): void {
  const quality = new QualityMenu(address.layer);
  const controls = new Controls(quality);
  const facts = new Facts(address);
  const home = whepEndpoint(location.origin, address.channel, address.layer);
  const endpoint = new Endpoint(home);
  let stats: ViewerStats | null = null;
  const frames = new Frames(page.video, () => {
    player.frameShown();
  });

  const companion = new Companion({
    facts,
    quality,
    onActivity: (activity) => {
      player.setActivity(activity);
    },
    onReconnect: (url) => {
      endpoint.moveTo(url);
      player.move();
    },
  });

  const player: Player = new Player({
    openSession: async (signal, onPath) => {
      frames.sessionOpens();
      const session = await endpoint.open(signal, (url) =>
        openViewerSession({
          endpoint: url,
          token: address.token,
          signal,
          onPath,
          onMedia: (media) => void show(media, controls),
          isBeside: player.state.name === 'playing',
        }),
      );
      companion.attach(session.extensions);
      return session;
    },
    isLive: () => facts.isLive(),
    isHidden: () => document.hidden,
    onState: (state) => {
      showState(state, address.channel);
      if (state.name === 'playing') facts.refresh();
    },
    onStats: (fresh) => {
      const age = frames.takeCaptureAge();
      stats = { ...fresh, endToEndMs: fresh.endToEndMs ?? age };
      setText(page.latency, player.state.name === 'playing' ? latencyText(stats) : '');
      if (controls.statsShown) showStats(stats);
    },
  });

  expose({
    state: () => player.state,
    stats: () => stats,
    timings: () => frames.timings,
    quality: () => quality.view,
    viewers: () => facts.viewers,
  });
  listen(player);
  player.open();
}

async function show(media: MediaStream, controls: Controls): Promise<void> {
  await pageLoaded();
  page.video.srcObject = media;
  await controls.startPlayback();
}

/** Lets the page's surroundings steer the player: button, network, leaving. */
function listen(player: Player): void {
  page.retry.addEventListener('click', () => {
    if (player.state.name === 'ended') player.reopen();
    else player.open();
  });
  window.addEventListener('online', () => {
    player.open();
  });
  window.addEventListener('pagehide', () => {
    player.close();
  });
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) player.open();
  });
}

function showState(state: PlayerState, channel: string): void {
  page.root.dataset.state = state.name;
  const notice = noticeOf(state, channel);
  setText(page.noticeTitle, notice.title);
  setText(page.noticeText, notice.text);
  page.spinner.hidden = !notice.busy;
  page.retry.hidden = notice.action === '';
  setText(page.retry, notice.action);
  page.badge.hidden = state.name !== 'playing';
  page.badge.classList.toggle('on-air', state.name === 'playing');
  if (state.name !== 'playing') setText(page.latency, '');
}

/** The latency that is known best: from the capture on, or else what the network and buffers add. */
function latencyText({ endToEndMs, latencyMs }: ViewerStats): string {
  const known = endToEndMs ?? latencyMs;
  return known === null ? '' : formatMs(known);
}

/** A video that waits for its first frame holds up the page's load event if it began before it. */
function pageLoaded(): Promise<void> {
  return new Promise((resolve) => {
    if (document.readyState === 'complete') resolve();
    else
      window.addEventListener('load', () => {
        resolve();
      });
  });
}

/** A read-only view for tests and for the curious: see README.md. */
function expose(read: {
  state: () => PlayerState;
  stats: () => ViewerStats | null;
  timings: () => Timings;
  quality: () => QualityView;
  viewers: () => number | null;
}): void {
  const view = {
    get state() {
      return structuredClone(read.state());
    },
    get stats() {
      return structuredClone(read.stats());
    },
    get timings() {
      return structuredClone(read.timings());
    },
    get quality() {
      return structuredClone(read.quality());
    },
    get viewers() {
      return read.viewers();
    },
  };
  Object.defineProperty(window, 'spillway', { value: Object.freeze(view) });
}

const address = readAddress(new URL(location.href));
if (address === null) {
  showState(
    {
      name: 'error',
      problem: {
        status: 404,
        title: 'There is no such channel',
        detail: 'A channel name has 1 to 64 letters, digits, “-” and “_”.',
        retryAfterMs: null,
      },
    },
    '',
  );
  page.retry.hidden = true;
} else {
  watch(address);
}
