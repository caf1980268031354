import ndc from 'node-datachannel';
import {
  FPS,
  readAccessUnits,
  readOpusPackets,
  testFile,
  testLayers,
  TIMECODE_BASE,
} from './media.js';
import { RtpStream, SrReport } from './rtp.js';
import { until } from './wait.js';

const AUDIO_SSRC = 0x0b5a;
const VIDEO_SSRC = 0x0b5b;
const AUDIO_PT = 111;
const VIDEO_PT = 96;
const MID_URI = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const RID_URI = 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id';
const SR_INTERVAL_MS = 1_000;

const running = new Set();

/**
 * A publisher with OBS Studio's SDP and habits, on the library that OBS is built on: no trickle, no RTX, no
 * transport-wide feedback, keyframe requests are ignored, NACKs are answered on the same SSRC, video sequence numbers
 * start at 0, timestamps anywhere, video packets carry mid and rid, audio packets nothing. Rid "0" is the largest layer.
 */
export class ObsPublisher {
  #peer;
  #session;
  #timers = new Map();
  #layers;
  #loss;
  #honours;
  /** Counts of what came back. */
  received = { nacks: 0, keyframeRequests: 0 };
  /** Pictures that left. */
  frames = 0;

  /**
   * `simulcast`: three layers of 2.5, 1.0 and 0.3 Mbit/s. `keyframesOnRequest`: not as OBS, but as an encoder that
   * heeds requests: the layer's file starts over with the next frame.
   *
   * @param {{ url: string, token: string, gop?: number, simulcast?: boolean, keyframesOnRequest?: boolean,
   *   loss?: (sequence: number) => boolean }} options
   */
  static async start(options) {
    const publisher = new ObsPublisher();
    running.add(publisher);
    await publisher.#start(options);
    return publisher;
  }

  async #start(options) {
    const { url, token, gop = 10, simulcast = false, keyframesOnRequest = false } = options;
    const { h264, opus } = await testFile(gop);
    const files = simulcast ? (await testLayers(gop)).map((layer) => layer.h264) : [h264];
    this.#layers = await Promise.all(files.map((file, i) => Layer.open(i, file)));
    this.#loss = options.loss ?? (() => false);
    this.#honours = keyframesOnRequest;
    this.durationMs = (this.#layers[0].units.length * 1000) / FPS;
    const packets = await readOpusPackets(opus);
    this.#peer = new ndc.PeerConnection('obs', { iceServers: [] });
    const audio = this.#peer.addTrack(audioDescription());
    const video = this.#peer.addTrack(videoDescription(this.#layers, simulcast));
    const offered = new Promise((resolve) => this.#peer.onLocalDescription((sdp) => resolve(sdp)));
    this.#peer.setLocalDescription('offer');
    this.offer = simulcast ? withoutVideoSsrcs(await offered) : await offered;
    await this.#post(url, token, this.offer);
    await until('OBS is connected', () => this.#peer.state() === 'connected');
    this.#sendVideo(video);
    this.#sendAudio(audio, packets);
  }

  async #post(url, token, offer) {
    const headers = { 'content-type': 'application/sdp', authorization: `Bearer ${token}` };
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: offer,
      signal: AbortSignal.timeout(8_000),
    });
    const body = await response.text();
    if (response.status !== 201) throw new Error(`OBS was answered ${response.status}: ${body}`);
    this.answer = body;
    this.#session = { url: new URL(response.headers.get('location'), url).href, headers };
    this.#peer.setRemoteDescription(body, 'answer');
  }

  #sendVideo(track) {
    track.onMessage((rtcp) => this.#onRtcp(track, rtcp));
    this.startedAt = Date.now();
    this.#clock(1000 / FPS, (frame) => {
      this.frames++;
      for (const layer of this.#layers) {
        for (const packet of layer.frame(frame)) {
          if (!this.#loss(packet.readUInt16BE(2))) this.#send(track, packet);
        }
      }
    });
    for (const { stream } of this.#layers) this.#reports(track, stream, 90_000);
  }

  #sendAudio(track, packets) {
    const stream = new RtpStream({ ssrc: AUDIO_SSRC, payloadType: AUDIO_PT, extensions: [] });
    track.onMessage(() => {});
    this.#clock(20, (number) => {
      this.#send(
        track,
        stream.packet(packets[number % packets.length], number * 960, number === 0),
      );
    });
    this.#reports(track, stream, 48_000);
  }

  /** The server may have ended the session: OBS then goes on into the void until it notices. */
  #send(track, packet) {
    if (track.isOpen()) track.sendMessageBinary(packet);
  }

  /** Calls `tick(n)` at n times the interval, without drift. */
  #clock(interval, tick) {
    const start = performance.now();
    let number = 0;
    const turn = () => {
      if (!this.#peer) return;
      while (start + number * interval <= performance.now()) tick(number++);
      this.#timers.set(tick, setTimeout(turn, start + number * interval - performance.now()));
    };
    turn();
  }

  #reports(track, stream, clockRate) {
    const report = new SrReport(stream, clockRate);
    const send = () => this.#peer && this.#send(track, report.write());
    this.#timers.set(send, setInterval(send, SR_INTERVAL_MS));
  }

  #onRtcp(track, rtcp) {
    for (let offset = 0; offset + 4 <= rtcp.length;) {
      const [format, type] = [rtcp[offset] & 0x1f, rtcp[offset + 1]];
      const length = 4 + rtcp.readUInt16BE(offset + 2) * 4;
      const feedback = rtcp.subarray(offset, offset + length);
      if (type === 205 && format === 1) this.#onNack(track, feedback);
      if (type === 206 && (format === 1 || format === 4)) this.#onKeyframeRequest(feedback);
      offset += length;
    }
  }

  #onNack(track, feedback) {
    this.received.nacks++;
    const layer = this.#layerOf(feedback.readUInt32BE(8));
    for (const packet of layer?.stream.lost(feedback.subarray(12)) ?? []) this.#send(track, packet);
  }

  /** A PLI names the stream as its media source, a FIR in its entries (RFC 5104 §4.3.1). */
  #onKeyframeRequest(feedback) {
    this.received.keyframeRequests++;
    if (!this.#honours) return;
    const isFir = (feedback[0] & 0x1f) === 4;
    for (let offset = isFir ? 12 : 8; offset + 4 <= feedback.length; offset += 8) {
      this.#layerOf(feedback.readUInt32BE(offset))?.startOver();
      if (!isFir) return;
    }
  }

  #layerOf(ssrc) {
    return this.#layers.find(({ stream }) => stream.ssrc === ssrc);
  }

  /** How old a shown frame with this timecode is, in milliseconds: the file is sent in a loop. */
  age(timecode, unixMs) {
    const age = unixMs - this.startedAt - (timecode - TIMECODE_BASE);
    const wrapped = ((age % this.durationMs) + this.durationMs) % this.durationMs;
    // The clocks of two processes may make a frame seem to come before it was sent.
    return wrapped > this.durationMs - 1_000 ? wrapped - this.durationMs : wrapped;
  }

  /** Stops as OBS does: closes the connection, then deletes the session. Gives the answer's status. */
  async stop() {
    this.abandon();
    const response = await fetch(this.#session.url, {
      method: 'DELETE',
      headers: this.#session.headers,
    });
    return response.status;
  }

  /** Stops without telling the server over HTTP. */
  abandon() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    if (!this.#peer) return;
    this.#peer.close();
    this.#peer = undefined;
    running.delete(this);
    // The library's threads would keep the test's process alive.
    if (running.size === 0) ndc.cleanup();
  }
}

function audioDescription() {
  const audio = new ndc.Audio('0', 'SendOnly');
  audio.addOpusCodec(
    AUDIO_PT,
    'minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1',
  );
  audio.parseSdpLine(`a=extmap:1 ${MID_URI}`);
  audio.addSSRC(AUDIO_SSRC, 'obs', 'stream', 'stream-audio');
  return audio;
}

function videoDescription(layers, simulcast) {
  const video = new ndc.Video('1', 'SendOnly');
  video.addH264Codec(
    VIDEO_PT,
    'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1',
  );
  video.parseSdpLine(`a=extmap:1 ${MID_URI}`);
  video.parseSdpLine(`a=extmap:2 ${RID_URI}`);
  for (const { rid, stream } of layers) {
    if (simulcast) video.parseSdpLine(`a=rid:${rid} send`);
    video.addSSRC(stream.ssrc, 'obs', 'stream', 'stream-video');
  }
  return video;
}

/** With layers OBS doesn't name its SSRCs; the library needs them to hand us the feedback. */
function withoutVideoSsrcs(sdp) {
  const [head, video] = sdp.split(/(?=m=video)/);
  return head + video.replaceAll(/a=ssrc:.*\r\n/g, '');
}

/** One encoding of the picture: its file in a loop. */
class Layer {
  #start = 0;
  #startsOver = false;
  #base = Math.floor(Math.random() * 2 ** 32);

  static async open(number, file) {
    return new Layer(number, await readAccessUnits(file));
  }

  constructor(number, units) {
    this.rid = String(number);
    this.units = units;
    this.stream = new RtpStream({
      ssrc: VIDEO_SSRC + number,
      payloadType: VIDEO_PT,
      extensions: [
        [1, '1'],
        [2, this.rid],
      ],
    });
  }

  /** The packets of the broadcast's frame with this number. */
  frame(number) {
    if (this.#startsOver) this.#start = number;
    this.#startsOver = false;
    const timestamp = this.#base + Math.round((number * 90_000) / FPS);
    return this.stream.h264(this.units[(number - this.#start) % this.units.length], timestamp);
  }

  startOver() {
    this.#startsOver = true;
  }
}
