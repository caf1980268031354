import { describeGoing } from '../player/handover-rules.ts';
import { Handover, type Reason } from '../player/handover.ts';
import { readAddress, withPlayer, type PageAddress } from '../shared/address.ts';
import { setText } from '../shared/dom.ts';
import { Endpoint, whepEndpoint } from '../whep/endpoint.ts';
import { CaptionsMenu } from './captions-menu.ts';
import { ChatLink } from './watch-chat-link.ts';
import { EarlierLink } from './earlier-link.ts';
import { expose } from './expose.ts';
import { MediaControls } from './media-controls.ts';
import { Stage } from './stage.ts';
import { Facts } from './watch-facts.ts';
import { listen, page, showState } from './watch-page.ts';
import { QualityMenu } from './watch-quality.ts';
import { Rewind } from './watch-rewind.ts';
import { StatsPanel } from './watch-stats-panel.ts';
import type { PageWay, Surroundings } from './watch-way.ts';
import { WebRtcWay } from './watch-webrtc.ts';

const HAS_WEBRTC = 'RTCPeerConnection' in window;

function watch(address: PageAddress): void {
  const stage = Stage.ofPage();
  const quality = new QualityMenu(address.layer, stage);
  const panel = new StatsPanel();
  const captions = new CaptionsMenu(stage);
  new MediaControls(stage, {
    c: () => {
      captions.toggle();
    },
    q: () => {
      quality.toggle();
    },
    s: () => {
      panel.toggle();
    },
  });
  const facts = new Facts(address);
  const rewind: Rewind = new Rewind({
    video: () => stage.video,
    kind: () => handover.shown?.kind ?? null,
    rewind: () => {
      stage.resume();
      handover.rewind();
    },
    goLive: () => {
      stage.resume();
      handover.goLive();
    },
  });
  const earlier = new EarlierLink(address, (recordings) => {
    rewind.take(recordings);
  });
  const chat = new ChatLink(address, captions);
  const around: Surroundings = { address, stage, facts, quality, captions, panel, rewind, chat };
  const handover = handOver(around, (name) => {
    if (name === 'playing') {
      facts.refresh();
      chat.played();
    }
    if (name === 'playing' || name === 'ended') earlier.refresh();
  });
  expose({
    state: () => handover.state,
    stats: () => handover.shown?.stats ?? null,
    timings: () => handover.shown?.timings ?? null,
    going: () => handover.going,
    quality: () => quality.view,
    viewers: () => facts.viewers,
    chat: () => chat.view,
  });
  listen(handover);
  letChoose((kind) => {
    handover.choose(kind);
  });
  void handover.open();
}

function handOver(around: Surroundings, onState: (name: string) => void): Handover<PageWay> {
  const { address, stage, captions, rewind, chat } = around;
  const endpoint = new Endpoint(whepEndpoint(location.origin, address.channel, address.layer));
  let isFirst = true;
  return new Handover<PageWay>(firstReason(address), {
    make: async (kind, events) => {
      const video = isFirst ? stage.video : stage.spare;
      isFirst = false;
      if (kind === 'webrtc') return new WebRtcWay(video, around, endpoint, events);
      const { HlsWay } = await import('./watch-hls.ts');
      return new HlsWay(video, around, events, kind === 'rewound' ? rewind.moment : null);
    },
    show: (way) => {
      if (way.video !== stage.video) stage.swap();
      page.root.dataset.player = way.kind;
      // WebRTC has none of its own.
      captions.offer(way.kind !== 'webrtc');
      chat.use(way.source);
      way.shown();
    },
    onState: (state) => {
      showState(state, address.channel);
      onState(state.name);
    },
    onGoing: (going) => {
      setText(page.going, describeGoing(going));
    },
    mayReturn: () => !document.hidden && !stage.isPaused && !stage.isHeld,
  });
}

/** Why LL-HLS comes first, if it does: a browser without WebRTC, or one where it's turned off, still plays it. */
function firstReason({ player }: PageAddress): Reason | null {
  if (!HAS_WEBRTC) return 'no-webrtc';
  return player === 'hls' ? 'chosen' : null;
}

/** The links that choose a player do so without loading the page anew; it's kept in its address. */
function letChoose(choose: (kind: PageAddress['player']) => void): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('#players a')];
  const mark = (): void => {
    for (const link of links) {
      const isChosen = link.dataset.player === page.root.dataset.player;
      if (isChosen) link.ariaCurrent = 'true';
      else link.removeAttribute('aria-current');
    }
  };
  for (const link of links) {
    const kind = link.dataset.player === 'hls' ? 'hls' : 'webrtc';
    link.href = withPlayer(new URL(location.href), kind);
    link.hidden = kind === 'webrtc' && !HAS_WEBRTC;
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      history.replaceState(null, '', link.href);
      choose(kind);
    });
  }
  new MutationObserver(mark).observe(page.root, { attributeFilter: ['data-player'] });
  mark();
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
