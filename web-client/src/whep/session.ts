import { offerCaptureTime, offerLayerDescriptions } from '../shared/header-extensions.ts';
import { PeerSession, type PathEvent } from '../shared/peer-session.ts';

export interface ViewerOptions {
  endpoint: string;
  token: string;
  signal: AbortSignal;
  onPath: (event: PathEvent) => void;
  /** Gets the session's media as soon as they have a name; frames come once the path is up. */
  onMedia: (media: MediaStream) => void;
}

/** Opens a WHEP session: one audio and one video track to receive, as fresh as they come. */
export function openViewerSession(options: ViewerOptions): Promise<PeerSession> {
  return PeerSession.open({
    ...options,
    prepare: (peer) => {
      for (const kind of ['video', 'audio'] as const) {
        const transceiver = peer.addTransceiver(kind, { direction: 'recvonly' });
        offerCaptureTime(transceiver);
        if (kind === 'video') offerLayerDescriptions(transceiver);
        keepFresh(transceiver.receiver);
      }
      options.onMedia(mediaOf(peer));
    },
  });
}

/** What a viewer's session receives. */
export function mediaOf(peer: RTCPeerConnection): MediaStream {
  return new MediaStream(peer.getReceivers().map(({ track }) => track));
}

/** Asks for the smallest jitter buffer that the network allows; older Chromium knows it by another name. */
function keepFresh(
  receiver: Partial<Pick<RTCRtpReceiver, 'jitterBufferTarget'>> & { playoutDelayHint?: number },
): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}
