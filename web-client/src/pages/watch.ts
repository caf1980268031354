import { readAddress, withPlayer, type PageAddress } from '../shared/address.ts';
import { setText } from '../shared/dom.ts';
import { formatMs } from '../shared/format.ts';
import { ProblemError } from '../shared/problem.ts';
import { Endpoint, whepEndpoint } from '../whep/endpoint.ts';
import { Player } from '../whep/player.ts';
import { openViewerSession } from '../whep/session.ts';
import type { ViewerStats } from '../whep/viewer-stats.ts';
import { Companion } from './watch-companion.ts';
import { Controls } from './watch-controls.ts';
import { Facts } from './watch-facts.ts';
import { Frames } from './watch-frames.ts';
import { expose, listen, page, showState, startPlayback } from './watch-page.ts';
import { QualityMenu } from './watch-quality.ts';
import { showStats } from './watch-stats.ts';

function watch(address: PageAddress): void {
  const quality = new QualityMenu(address.layer);
  const controls = new Controls(quality);
  const facts = new Facts(address);
  const endpoint = new Endpoint(whepEndpoint(location.origin, address.channel, address.layer));
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
      const opening = endpoint.open(signal, (url) =>
        openViewerSession({
          endpoint: url,
          token: address.token,
          signal,
          onPath,
          onMedia: (media) => void show(media, controls),
          isBeside: player.state.name === 'playing',
        }),
      );
      const session = await orSpillOver(opening, () => player.state.name === 'playing');
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

/**
 * Where the server has no room for another viewer, but LL-HLS, the other player goes on as if it had been asked for: the way
 * back is in the controls.
 */
async function orSpillOver<T>(opening: Promise<T>, isPlaying: () => boolean): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    const isFull = error instanceof ProblemError && error.problem.offersHls === true;
    if (isFull && !isPlaying()) location.replace(withPlayer(new URL(location.href), 'hls'));
    throw error;
  }
}

function show(media: MediaStream, controls: Controls): Promise<void> {
  return startPlayback(controls, () => {
    page.video.srcObject = media;
  });
}

/** The latency that is known best: from the capture on, or else what the network and buffers add. */
function latencyText({ endToEndMs, latencyMs }: ViewerStats): string {
  const known = endToEndMs ?? latencyMs;
  return known === null ? '' : formatMs(known);
}

/** Names the two players in the controls, and says which one this is. */
function showPlayers(player: PageAddress['player']): void {
  page.root.dataset.player = player;
  for (const link of document.querySelectorAll<HTMLAnchorElement>('#players a')) {
    const its = link.dataset.player === 'hls' ? 'hls' : 'webrtc';
    link.href = withPlayer(new URL(location.href), its);
    if (its === player) link.ariaCurrent = 'true';
  }
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
  // A browser without WebRTC, or one where it's turned off, still plays LL-HLS.
  const player = 'RTCPeerConnection' in window ? address.player : 'hls';
  showPlayers(player);
  if (player === 'webrtc') watch(address);
  else
    void import('./watch-hls.ts').then(({ watchHls }) => {
      watchHls(address);
    });
}
