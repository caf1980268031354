import { offerCaptureTime, offerLayerDescriptions } from '../shared/header-extensions.ts';
import { PeerSession, type PathEvent } from '../shared/peer-session.ts';

export interface ViewerOptions {
  endpoint: string;
  token: string;
  signal: AbortSignal;
  onPath: (event: PathEvent) => void;
  /** Gets the stream of the session's tracks; frames come once the path is up. */
  onMedia: (media: MediaStream) => void;
  /** Whether another session plays now: then this one's stream is given when its path is up. */
  isBeside: boolean;
}

/** Opens a WHEP session: one audio and one video track to receive, as fresh as they come. */
export function openViewerSession(options: ViewerOptions): Promise<PeerSession> {
  const media = new MediaStream();
  let isGiven = false;
  const give = (): void => {
    if (!isGiven) options.onMedia(media);
    isGiven = true;
  };
  return PeerSession.open({
    ...options,
    onPath: (event) => {
      options.onPath(event);
      if (event === 'up') give();
    },
    prepare: (peer) => {
      for (const kind of ['video', 'audio'] as const) {
        const transceiver = peer.addTransceiver(kind, { direction: 'recvonly' });
        offerCaptureTime(transceiver);
        if (kind === 'video') offerLayerDescriptions(transceiver);
        keepFresh(transceiver.receiver);
        media.addTrack(transceiver.receiver.track);
      }
      if (!options.isBeside) give();
    },
  });
}

/** Asks for the smallest jitter buffer that the network allows; older Chromium knows it by another name. */
function keepFresh(
  receiver: Partial<Pick<RTCRtpReceiver, 'jitterBufferTarget'>> & { playoutDelayHint?: number },
): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}
