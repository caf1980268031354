import { drawTimecode } from './timecode.js';
import { connected, openSession, statistics, transport } from './session.js';

const BARS = ['#bfbfbf', '#bfbf00', '#00bfbf', '#00bf00', '#bf00bf', '#bf0000', '#0000bf'];

/**
 * Publishes a canvas with a timecode, and a tone.
 *
 * `codec` is a MIME subtype such as `VP8`; other codecs aren't offered, so that the test is about this one.
 */
export async function publish(options) {
  const { codec, width = 1280, height = 720, fps = 30, bitrate = 2_500_000, encodings } = options;
  const peer = new RTCPeerConnection();
  const source = startPicture(width, height, fps);
  const tone = await startTone();
  const media = new MediaStream([source.track, tone.track]);
  peer.addTransceiver(tone.track, { direction: 'sendonly', streams: [media] });
  const video = peer.addTransceiver(source.track, {
    direction: 'sendonly',
    streams: [media],
    sendEncodings: encodings ?? [{ maxBitrate: bitrate, maxFramerate: fps }],
  });
  if (codec) only(video, codec);
  const session = await openSession(peer, options);
  await connected(peer);
  await keepResolution(video.sender);
  return {
    peer,
    stats: () => statistics(peer),
    transport: () => transport(peer),
    close: async () => {
      source.stop();
      tone.stop();
      await session.close();
    },
  };
}

/**
 * On a busy machine Chromium sends a smaller picture than it was given; what is under test is the server. Firefox
 * knows no such preference and never does that by itself.
 */
async function keepResolution(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  await sender.setParameters(parameters);
}

function only(transceiver, codec) {
  const { codecs } = RTCRtpSender.getCapabilities('video');
  const helpers = ['video/rtx'];
  const mimeType = `video/${codec}`.toLowerCase();
  const chosen = codecs.filter((known) => known.mimeType.toLowerCase() === mimeType);
  if (chosen.length === 0) throw new Error(`this browser can't encode ${codec}`);
  transceiver.setCodecPreferences([
    ...chosen,
    ...codecs.filter((known) => helpers.includes(known.mimeType)),
  ]);
}

function startPicture(width, height, fps) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  document.body.append(canvas);
  const context = canvas.getContext('2d', { alpha: false });
  const stream = canvas.captureStream(0);
  const [track] = stream.getVideoTracks();
  // Chromium has it on the track, Firefox on the stream.
  const requestFrame = () => (track.requestFrame ? track.requestFrame() : stream.requestFrame());
  const draw = () => {
    const now = Date.now();
    drawBars(context, now);
    drawTimecode(context, now);
    requestFrame();
  };
  draw();
  const timer = setInterval(draw, 1000 / fps);
  return {
    track,
    stop: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}

function drawBars(context, now) {
  const { width, height } = context.canvas;
  const bar = width / BARS.length;
  BARS.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(i * bar, 0, bar + 1, height);
  });
  context.fillStyle = '#fff';
  context.fillRect(
    ((now % 4000) / 4000) * (width - height / 8),
    height / 3,
    height / 8,
    height / 8,
  );
  context.font = `${Math.round(height / 8)}px monospace`;
  context.fillText(new Date(now).toISOString().slice(11, 23), width / 8, height * 0.7);
}

async function startTone() {
  const audio = new AudioContext();
  // Firefox lets no page play sound that nobody has clicked on; its fake microphone beeps as well.
  if (audio.state === 'suspended' && navigator.userAgent.includes('Firefox'))
    return fakeMicrophone();
  const output = new MediaStreamAudioDestinationNode(audio);
  const oscillator = new OscillatorNode(audio, { frequency: 440 });
  oscillator.connect(new GainNode(audio, { gain: 0.1 })).connect(output);
  oscillator.start();
  await audio.resume();
  const [track] = output.stream.getAudioTracks();
  return { track, stop: () => void audio.close() };
}

async function fakeMicrophone() {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true });
  const [track] = media.getAudioTracks();
  return { track, stop: () => track.stop() };
}
