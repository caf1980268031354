import { offerCaptureTime } from '../shared/header-extensions.ts';
import { PeerSession, type PathEvent } from '../shared/peer-session.ts';
import type { Content } from './ladder.ts';
import {
  preferCodec,
  prefersSvc,
  SVC_MODE,
  widthOf,
  type CodecChoice,
  type Layering,
  type VideoSettings,
} from './settings.ts';

export interface PublisherOptions {
  endpoint: string;
  token: string;
  signal: AbortSignal;
  onPath: (event: PathEvent) => void;
  /** The tracks to send; they outlive the session. */
  media: MediaStream;
  codec: CodecChoice;
  encodings: RTCRtpEncodingParameters[];
  /** Bit/s. */
  audioBitrate: number;
}

/** Opens a WHIP session that sends the given tracks. */
export function openPublisherSession(options: PublisherOptions): Promise<PeerSession> {
  return PeerSession.open({
    ...options,
    prepare: (peer) => {
      for (const track of options.media.getTracks()) {
        const transceiver = peer.addTransceiver(track, {
          direction: 'sendonly',
          streams: [options.media],
          sendEncodings:
            track.kind === 'video' ? options.encodings : [{ maxBitrate: options.audioBitrate }],
        });
        offerCaptureTime(transceiver);
        if (track.kind === 'video') chooseCodec(transceiver, options.codec);
      }
    },
  });
}

export function whipEndpoint(origin: string, channel: string): string {
  return new URL(`/whip/${encodeURIComponent(channel)}`, origin).href;
}

function chooseCodec(transceiver: RTCRtpTransceiver, codec: CodecChoice): void {
  const known = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const preferred = codec === '' ? [] : preferCodec(known, codec);
  if (preferred.length > 0) transceiver.setCodecPreferences(preferred);
}

/** How several qualities can be sent in this browser. */
export async function layeringOf(video: VideoSettings): Promise<Layering> {
  if (!video.layered) return 'none';
  if (!prefersSvc(video.codec)) return 'simulcast';
  const { mediaCapabilities } = navigator as { mediaCapabilities?: MediaCapabilities };
  const found = await mediaCapabilities
    ?.encodingInfo({
      type: 'webrtc',
      video: {
        contentType: `video/${video.codec}`,
        width: widthOf(video.height),
        height: video.height,
        bitrate: video.bitrate,
        framerate: video.fps,
        scalabilityMode: SVC_MODE,
      },
    })
    .catch(() => null);
  return found?.supported === true ? 'svc' : 'simulcast';
}

export interface SendingOptions {
  encodings: readonly RTCRtpEncodingParameters[];
  content: Content;
  /** Whether the browser may lower the picture by itself, too. */
  automatic: boolean;
}

/** Applies what can change while a session runs: sizes, rates, which layers are sent; a codec needs a new one. */
export async function applySending(
  peer: RTCPeerConnection,
  { encodings, content, automatic }: SendingOptions,
): Promise<void> {
  const sender = peer.getSenders().find(({ track }) => track?.kind === 'video');
  if (sender === undefined) return;
  const preferences = automatic
    ? [content === 'detail' ? 'maintain-resolution' : 'balanced']
    : ['maintain-framerate-and-resolution', 'maintain-resolution'];
  for (const preference of [...preferences, undefined]) {
    const parameters = sender.getParameters();
    for (const [index, encoding] of parameters.encodings.entries()) {
      Object.assign(encoding, encodings[index]);
    }
    if (preference !== undefined) Object.assign(parameters, { degradationPreference: preference });
    // Browsers differ in the preferences that they know.
    const applied = await sender.setParameters(parameters).then(
      () => true,
      () => false,
    );
    if (applied) return;
  }
}
