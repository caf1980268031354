import { TIMECODE_BITS, TIMECODE_HEIGHT, timecodeBits } from './timecode.ts';
import { widthOf, type Height } from './settings.ts';

/** SMPTE-like colour bars at 75 %. */
const BARS = ['#bfbfbf', '#bfbf00', '#00bfbf', '#00bf00', '#bf00bf', '#bf0000', '#0000bf'];
const TONE_HZ = 440;
const TONE_GAIN = 0.06;
/** A second's beep, at the top of each second: it shows whether sound and picture are in step. */
const BEEP_HZ = 880;
const BEEP_GAIN = 0.2;
const BEEP_SECONDS = 0.1;

/** A running test picture with tone. `stop` frees everything. */
export interface TestPicture {
  media: MediaStream;
  stop: () => void;
}

/** Draws a moving picture with a clock, and makes a tone that beeps at the top of each second. */
export function startTestPicture(height: Height, fps: number): TestPicture {
  const canvas = document.createElement('canvas');
  canvas.width = widthOf(height);
  canvas.height = height;
  const context = canvas.getContext('2d', { alpha: false });
  if (context === null) throw new Error('This browser cannot draw on a canvas.');
  drawTestPicture(context, Date.now());
  const media = canvas.captureStream(fps);
  const ticker = new Worker(new URL('./ticker.ts', import.meta.url), { type: 'module' });
  ticker.addEventListener('message', () => {
    drawTestPicture(context, Date.now());
  });
  ticker.postMessage(1000 / fps);
  const tone = startTone();
  for (const track of tone.tracks) media.addTrack(track);
  return {
    media,
    stop: () => {
      ticker.terminate();
      tone.stop();
      for (const track of media.getTracks()) track.stop();
    },
  };
}

function drawTestPicture(context: CanvasRenderingContext2D, unixMs: number): void {
  const { width, height } = context.canvas;
  const barWidth = width / BARS.length;
  BARS.forEach((colour, index) => {
    context.fillStyle = colour;
    context.fillRect(Math.floor(index * barWidth), 0, Math.ceil(barWidth), height);
  });
  drawSweep(context, unixMs);
  drawClock(context, unixMs);
  drawTimecode(context, unixMs);
}

/** A disc whose hand turns once in two seconds, and a ball that crosses the picture in four. */
function drawSweep(context: CanvasRenderingContext2D, unixMs: number): void {
  const { width, height } = context.canvas;
  const radius = height * 0.2;
  const angle = ((unixMs % 2000) / 2000) * 2 * Math.PI - Math.PI / 2;
  context.fillStyle = '#0d1b22';
  circle(context, width / 2, height * 0.32, radius);
  context.strokeStyle = '#e8f4f6';
  context.lineWidth = height / 90;
  context.beginPath();
  context.moveTo(width / 2, height * 0.32);
  context.lineTo(
    width / 2 + Math.cos(angle) * radius * 0.85,
    height * 0.32 + Math.sin(angle) * radius * 0.85,
  );
  context.stroke();
  const travel = (unixMs % 4000) / 4000;
  context.fillStyle = '#ffffff';
  circle(context, travel * width, height * 0.84, height * 0.035);
}

function circle(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function drawClock(context: CanvasRenderingContext2D, unixMs: number): void {
  const { width, height } = context.canvas;
  const time = new Date(unixMs).toISOString().slice(11, 23);
  context.fillStyle = '#0d1b22';
  context.fillRect(width * 0.2, height * 0.57, width * 0.6, height * 0.19);
  context.fillStyle = '#ffffff';
  context.font = `600 ${Math.round(height * 0.13)}px ui-monospace, monospace`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(time, width / 2, height * 0.67, width * 0.56);
}

function drawTimecode(context: CanvasRenderingContext2D, unixMs: number): void {
  const { width, height } = context.canvas;
  const blockWidth = width / TIMECODE_BITS;
  const top = height * (1 - TIMECODE_HEIGHT);
  timecodeBits(unixMs).forEach((bit, index) => {
    context.fillStyle = bit ? '#ffffff' : '#000000';
    context.fillRect(Math.floor(index * blockWidth), top, Math.ceil(blockWidth), height - top);
  });
}

function startTone(): { tracks: MediaStreamTrack[]; stop: () => void } {
  const audio = new AudioContext();
  const output = new MediaStreamAudioDestinationNode(audio, { channelCount: 2 });
  const hum = oscillator(audio, TONE_HZ, TONE_GAIN, output);
  const beep = oscillator(audio, BEEP_HZ, 0, output);
  const scheduleBeep = (): void => {
    const now = Date.now();
    const start = audio.currentTime + (1000 - (now % 1000)) / 1000;
    beep.gain.cancelScheduledValues(audio.currentTime);
    beep.gain.setValueAtTime(0, audio.currentTime);
    beep.gain.setValueAtTime(BEEP_GAIN, start);
    beep.gain.setValueAtTime(0, start + BEEP_SECONDS);
  };
  // In the first half of each second the next beep is planned and the last is over.
  const timer = setInterval(() => {
    if (Date.now() % 1000 >= BEEP_SECONDS * 1000) scheduleBeep();
  }, 300);
  void audio.resume();
  return {
    tracks: output.stream.getAudioTracks(),
    stop: () => {
      clearInterval(timer);
      hum.disconnect();
      beep.disconnect();
      void audio.close();
    },
  };
}

function oscillator(
  audio: AudioContext,
  frequency: number,
  volume: number,
  output: AudioNode,
): GainNode {
  const gain = new GainNode(audio, { gain: volume });
  const source = new OscillatorNode(audio, { frequency });
  source.connect(gain).connect(output);
  source.start();
  return gain;
}
