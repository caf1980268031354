import { describe, expect, it } from 'vitest';
import { iceServersFromLink } from './ice-servers.ts';

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
