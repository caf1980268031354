import { describe, expect, it } from 'vitest';
import { extensionsFromLink, iceServersFromLink } from './links.ts';

describe('iceServersFromLink', () => {
  it('reads STUN and TURN servers, joined as fetch joins headers', () => {
    const header =
      '<stun:stun.example.net>; rel="ice-server", ' +
      '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="a,b;\\"c"; credential-type="password"';
    expect(iceServersFromLink(header)).toEqual([
      { urls: 'stun:stun.example.net' },
      { urls: 'turn:turn.example.net?transport=udp', username: 'user', credential: 'a,b;"c' },
    ]);
  });

  it('leaves out other relations and schemes', () => {
    const header =
      '<https://example.net/sse>; rel="urn:ietf:params:whep:ext:core:layer", <javascript:alert(1)>; rel=ice-server';
    expect(iceServersFromLink(header)).toEqual([]);
  });

  it('survives nonsense', () => {
    for (const header of [null, '', '<', '<>;', '; rel="ice-server"', '<stun:a>; rel="ice-ser']) {
      expect(iceServersFromLink(header)).toEqual([]);
    }
  });
});

describe('extensionsFromLink', () => {
  const base = 'https://b.example/whep/demo';

  it('finds both, relative to the node that answered', () => {
    const header =
      '<stun:stun.example.net>; rel="ice-server", ' +
      '</whep/demo/k/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active,inactive", ' +
      '<https://c.example/k/layer>; rel="urn:ietf:params:whep:ext:core:layer"';
    expect(extensionsFromLink(header, base)).toEqual({
      events: 'https://b.example/whep/demo/k/events',
      layer: 'https://c.example/k/layer',
    });
  });

  it('does without', () => {
    for (const header of [null, '', '<x>; rel="other"']) {
      expect(extensionsFromLink(header, base)).toEqual({ events: null, layer: null });
    }
  });

  it('takes no address that is none of the web', () => {
    const relation = 'rel="urn:ietf:params:whep:ext:core:layer"';
    for (const url of ['javascript:alert(1)', 'http://', '']) {
      expect(extensionsFromLink(`<${url}>; ${relation}`, base).layer).toBeNull();
    }
  });
});
