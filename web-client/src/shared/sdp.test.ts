import { describe, expect, it } from 'vitest';
import { iceRestartFragment, withIceRestart, withOpusOptions } from './sdp.ts';

const OFFER = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=ice-options:trickle',
  'a=mid:0',
  'a=rtpmap:96 VP8/90000',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=mid:1',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=fmtp:63 111/111',
  '',
].join('\r\n');

const ANSWER = [
  'v=0',
  'o=- 5 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=ice-lite',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldoldoldoldoldoldoldold',
  'a=candidate:1 1 udp 1 192.0.2.1 8189 typ host',
  'a=end-of-candidates',
  'a=mid:0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:old',
  'a=ice-pwd:oldoldoldoldoldoldoldold',
  'a=mid:1',
  '',
].join('\r\n');

describe('withOpusOptions', () => {
  it('asks for stereo and for lost packets in the Opus lines and nowhere else', () => {
    const sdp = withOpusOptions(OFFER);
    expect(sdp).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1\r\n');
    expect(sdp).toContain('a=fmtp:63 111/111\r\n');
    expect(sdp.match(/a=rtcp-fb:/g)).toEqual(['a=rtcp-fb:']);
    expect(sdp).toContain('a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\n');
    expect(withOpusOptions(sdp)).toBe(sdp);
  });

  it('lets redundant sound make up for losses where a browser watches and takes it', () => {
    const recvonly = `${OFFER}a=recvonly\r\na=rtpmap:63 red/48000/2\r\n`;
    expect(withOpusOptions(recvonly)).not.toContain('a=rtcp-fb:');
    const plain = recvonly.replaceAll('red/48000', 'CN/48000');
    expect(withOpusOptions(plain)).toContain('a=rtcp-fb:111 nack\r\n');
  });

  it('is not fooled by sprop-stereo alone', () => {
    const sdp = OFFER.replace('useinbandfec=1', 'sprop-stereo=1');
    expect(withOpusOptions(sdp)).toContain(';stereo=1;');
  });

  it('leaves a description without Opus as it is', () => {
    const sdp = OFFER.replace('opus', 'PCMU');
    expect(withOpusOptions(sdp)).toBe(sdp);
  });
});

describe('ICE restart', () => {
  it('sends the new credentials with the first media section', () => {
    expect(iceRestartFragment(OFFER).split('\r\n')).toEqual([
      'a=group:BUNDLE 0 1',
      'a=ice-options:trickle',
      'a=ice-ufrag:abcd',
      'a=ice-pwd:0123456789012345678901',
      'm=video 9 UDP/TLS/RTP/SAVPF 96',
      'a=mid:0',
      '',
    ]);
  });

  it('needs credentials on both sides', () => {
    expect(() => iceRestartFragment('v=0\r\nm=audio 9 X 0\r\n')).toThrow(/ice-ufrag/);
    expect(() => iceRestartFragment('v=0\r\n')).toThrow(/media section/);
    expect(() => withIceRestart(ANSWER, 'a=ice-ufrag:new\r\n')).toThrow(/credentials/);
  });

  it('renews credentials everywhere and candidates in the first section', () => {
    const fragment =
      'a=ice-ufrag:new\r\na=ice-pwd:newnewnewnewnewnewnewnew\r\nm=video 9 X 0\r\na=mid:0\r\n' +
      'a=candidate:1 1 udp 1 198.51.100.7 8190 typ host\r\na=end-of-candidates\r\n';
    const answer = withIceRestart(ANSWER, fragment).split('\r\n');
    expect(answer.filter((line) => line === 'a=ice-ufrag:new')).toHaveLength(2);
    expect(answer.filter((line) => line.startsWith('a=candidate:'))).toEqual([
      'a=candidate:1 1 udp 1 198.51.100.7 8190 typ host',
    ]);
    expect(answer.join()).not.toContain('old');
    const firstMedia = answer.findIndex((line) => line.startsWith('m=video'));
    const secondMedia = answer.findIndex((line) => line.startsWith('m=audio'));
    const candidate = answer.findIndex((line) => line.startsWith('a=candidate:'));
    expect(candidate).toBeGreaterThan(firstMedia);
    expect(candidate).toBeLessThan(secondMedia);
    expect(answer).toContain('a=ice-lite');
  });
});
