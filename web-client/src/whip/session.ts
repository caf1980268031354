import { offerCaptureTime } from '../shared/capture-time.ts';
import { PeerSession, type PathEvent } from '../shared/peer-session.ts';
import { encodingsOf, preferCodec, type VideoSettings } from './settings.ts';

export interface PublisherOptions {
  endpoint: string;
  token: string;
  signal: AbortSignal;
  onPath: (event: PathEvent) => void;
  /** The tracks to send; they outlive the session. */
  media: MediaStream;
  video: VideoSettings;
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
            track.kind === 'video'
              ? encodingsOf(options.video)
              : [{ maxBitrate: options.audioBitrate }],
        });
        offerCaptureTime(transceiver);
        if (track.kind === 'video') chooseCodec(transceiver, options.video);
      }
    },
  });
}

export function whipEndpoint(origin: string, channel: string): string {
  return new URL(`/whip/${encodeURIComponent(channel)}`, origin).href;
}

function chooseCodec(transceiver: RTCRtpTransceiver, { codec }: VideoSettings): void {
  const known = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const preferred = codec === '' ? [] : preferCodec(known, codec);
  if (preferred.length > 0) transceiver.setCodecPreferences(preferred);
}

/** Applies bitrate and frame rate to a running session; size and codec need a new one. */
export async function applyEncodings(peer: RTCPeerConnection, video: VideoSettings): Promise<void> {
  const sender = peer.getSenders().find(({ track }) => track?.kind === 'video');
  if (sender === undefined) return;
  const parameters = sender.getParameters();
  const wanted = encodingsOf(video);
  for (const [index, encoding] of parameters.encodings.entries()) {
    Object.assign(encoding, wanted[index]);
  }
  await sender.setParameters(parameters);
}
