import { openSession, statistics, transport } from './session.js';
import { TimecodeReader } from './timecode.js';

/** Samples of shown frames that are kept: ten minutes. */
const MAX_FRAMES = 20_000;

/**
 * Views a channel by WHEP and keeps, for every shown frame, when it came and what its timecode says.
 *
 * `only` ('udp' or 'tcp') leaves just those candidates in the answer. `timecodes: false` spares the reading.
 * `soundNack` asks for lost sound again; `soundRed: false` takes no copies of sound (RFC 2198), which Chromium offers.
 * `flexfec: false` takes no repair packets, `resends: false` no lost ones again.
 */
export async function view(options) {
  const { iceServers = [], iceTransportPolicy = 'all', only, audio = true, video = true } = options;
  const peer = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  const element = document.createElement('video');
  Object.assign(element, { autoplay: true, playsInline: true });
  document.body.append(element);
  element.srcObject = new MediaStream();
  peer.addEventListener('track', ({ track }) => {
    element.srcObject.addTrack(track);
    void element.play().catch(() => {});
  });
  if (audio) peer.addTransceiver('audio', { direction: 'recvonly' });
  if (video) takeSpatialLayers(peer.addTransceiver('video', { direction: 'recvonly' }));
  const frames = watchFrames(element, options.timecodes ?? true);
  const editAnswer = only ? (sdp) => keepCandidates(sdp, only) : undefined;
  const edits = [
    options.soundNack && askForSound,
    options.soundRed === false && withoutCopies,
    options.flexfec === false && withoutFlexFec,
    options.resends === false && withoutResends,
  ];
  const editOffer = (sdp) => edits.filter(Boolean).reduce((text, edit) => edit(text), sdp);
  const session = await openSession(peer, { ...options, editOffer, editAnswer });
  return {
    peer,
    element,
    frames,
    answer: session.answer,
    postedAt: session.postedAt,
    stats: () => statistics(peer),
    inbound: (kind) => inbound(peer, kind),
    soundAheadMs: () => soundAheadMs(peer),
    select: (selection) => select(session.layerUrl, selection),
    transport: () => transport(peer),
    close: session.close,
  };
}

/** Chromium takes AV1 with spatial layers only with this header extension, and doesn't offer it unless asked to. */
function takeSpatialLayers(transceiver) {
  const known = transceiver.getHeaderExtensionsToNegotiate?.();
  const descriptor = known?.find(({ uri }) => uri.includes('#dependency-descriptor'));
  if (!descriptor) return;
  descriptor.direction = 'sendrecv';
  transceiver.setHeaderExtensionsToNegotiate(known);
}

/** Asks for layers (WHEP's layer selection): `{ rid }`, `{ maxSpatialLayerId }` and so on. */
async function select(url, selection) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(selection) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${body}`);
}

/** The received stream of this kind: counters, with the codec's MIME type. */
async function inbound(peer, kind) {
  const stats = await statistics(peer);
  const streams = stats.filter((entry) => entry.type === 'inbound-rtp' && entry.kind === kind);
  const stream = streams.sort((a, b) => (b.packetsReceived ?? 0) - (a.packetsReceived ?? 0))[0];
  const codec = stats.find(({ id }) => id === stream?.codecId);
  return stream && { ...stream, mimeType: codec?.mimeType };
}

/**
 * How much later in capture time the sound is than the picture that are played now, in milliseconds (negative: the
 * sound lags); null until the browser can tell, which takes it two sender reports of each, read once a second.
 */
async function soundAheadMs(peer) {
  const [audio, video] = [await inbound(peer, 'audio'), await inbound(peer, 'video')];
  const [heard, seen] = [audio?.estimatedPlayoutTimestamp, video?.estimatedPlayoutTimestamp];
  return heard && seen ? heard - seen : null;
}

/**
 * Each shown frame: `at` and `displayAt` on the clock of `performance.now()`, `unixMs` at that moment, `timecode`
 * and, where the browser tells, `receivedAt` (when its last packet came) and its `rtpTimestamp`; `number` counts what
 * was shown, whether or not it was seen here.
 */
function watchFrames(element, timecodes) {
  const frames = [];
  const reader = timecodes ? new TimecodeReader() : null;
  const shown = (_now, metadata) => {
    const at = performance.now();
    if (frames.length < MAX_FRAMES) {
      frames.push({
        at,
        displayAt: metadata.expectedDisplayTime,
        receivedAt: metadata.receiveTime,
        unixMs: Date.now(),
        rtpTimestamp: metadata.rtpTimestamp,
        number: metadata.presentedFrames,
        timecode: reader?.read(element) ?? null,
        width: metadata.width,
        height: metadata.height,
      });
    }
    element.requestVideoFrameCallback(shown);
  };
  element.requestVideoFrameCallback(shown);
  return frames;
}

/** Offers `nack` for Opus, as the product's pages do and no browser by itself. */
function askForSound(sdp) {
  return sdp.replace(/a=rtpmap:(\d+) opus\/48000\/2\r\n/i, '$&a=rtcp-fb:$1 nack\r\n');
}

/** Offers no redundant form of the sound (RFC 2198). */
function withoutCopies(sdp) {
  const [, red] = /a=rtpmap:(\d+) red\/48000\/2\r\n/i.exec(sdp) ?? [];
  if (!red) return sdp;
  const lines = new RegExp(`a=(rtpmap|fmtp|rtcp-fb):${red} .*\\r\\n`, 'g');
  return sdp.replace(lines, '').replace(new RegExp(`(m=audio .*) ${red}(?= |\\r)`), '$1');
}

function withoutFlexFec(sdp) {
  return withoutTypes(sdp, /a=rtpmap:(\d+) flexfec-03\//g);
}

function withoutResends(sdp) {
  return withoutTypes(sdp, /a=rtpmap:(\d+) rtx\//g).replace(/a=rtcp-fb:\d+ nack\r\n/g, '');
}

/** Leaves payload types of video out. */
function withoutTypes(sdp, pattern) {
  const types = [...sdp.matchAll(pattern)].map(([, type]) => type).join('|');
  const offered = new RegExp(` (?:${types})(?= |$)`, 'g');
  return sdp
    .replace(/m=video [^\r]*/, (line) => line.replace(offered, ''))
    .replace(new RegExp(`a=(?:rtpmap|fmtp|rtcp-fb):(?:${types}) [^\\r]*\\r\\n`, 'g'), '');
}

function keepCandidates(sdp, protocol) {
  const keep = (line) =>
    !line.startsWith('a=candidate:') || line.split(' ')[2].toLowerCase() === protocol;
  return sdp.split('\r\n').filter(keep).join('\r\n');
}
