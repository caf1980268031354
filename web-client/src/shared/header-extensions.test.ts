import { describe, expect, it, vi } from 'vitest';
import {
  offerCaptureTime,
  offerLayerDescriptions,
  type ExtensibleTransceiver,
} from './header-extensions.ts';

const CAPTURE = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
const LAYERS =
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';

describe('header extensions', () => {
  it('are offered beside those that are already', () => {
    const states = new Map([
      ['other', 'stopped'],
      [CAPTURE, 'stopped'],
      [LAYERS, 'stopped'],
    ]);
    const transceiver = {
      getHeaderExtensionsToNegotiate: () =>
        [...states].map(([uri, direction]) => ({ uri, direction })),
      setHeaderExtensionsToNegotiate: (extensions) => {
        for (const { uri, direction } of extensions) states.set(uri, direction);
      },
    } as ExtensibleTransceiver;
    offerCaptureTime(transceiver);
    offerLayerDescriptions(transceiver);
    expect([...states.values()]).toEqual(['stopped', 'sendrecv', 'sendrecv']);
  });

  it('are left alone where the browser has none to choose', () => {
    const set = vi.fn();
    offerCaptureTime({ mid: null });
    offerLayerDescriptions({
      mid: null,
      getHeaderExtensionsToNegotiate: () => [],
      setHeaderExtensionsToNegotiate: set,
    });
    expect(set).not.toHaveBeenCalled();
  });
});
