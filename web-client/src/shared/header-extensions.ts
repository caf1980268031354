const ABS_CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
const DEPENDENCY_DESCRIPTOR =
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';

interface HeaderExtension {
  uri: string;
  direction: RTCRtpTransceiverDirection;
}

/** RTCRtpTransceiver of the WebRTC Extensions specification; not in every browser. */
export interface ExtensibleTransceiver extends Pick<RTCRtpTransceiver, 'mid'> {
  getHeaderExtensionsToNegotiate?: () => HeaderExtension[];
  setHeaderExtensionsToNegotiate?: (extensions: HeaderExtension[]) => void;
}

/** Offers absolute capture times, which browsers know but leave out: they tell the latency from end to end. */
export function offerCaptureTime(transceiver: ExtensibleTransceiver): void {
  offer(transceiver, ABS_CAPTURE_TIME);
}

/** Offers what says which layer a packet is of: without it Chromium shows nothing of AV1 with spatial layers. */
export function offerLayerDescriptions(transceiver: ExtensibleTransceiver): void {
  offer(transceiver, DEPENDENCY_DESCRIPTOR);
}

function offer(transceiver: ExtensibleTransceiver, uri: string): void {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.();
  const wanted = extensions?.find((extension) => extension.uri === uri);
  if (extensions === undefined || wanted === undefined) return;
  wanted.direction = 'sendrecv';
  transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}
