const NEWLINE = '\r\n';

function lines(sdp: string): string[] {
  return sdp.split(/\r\n|\n|\r/).filter((line) => line !== '');
}

function join(all: readonly string[]): string {
  return all.join(NEWLINE) + NEWLINE;
}

/**
 * Asks for more of Opus than browsers offer by themselves: stereo (RFC 7587 §7.1; they decode and send mono unless
 * `stereo=1` is said), and lost packets again (RFC 4585 §6.2.1; in-band FEC doesn't cover music). Not where the browser
 * watches and takes redundant sound (RFC 2198): that makes up for losses sooner, and the node sends it instead.
 */
export function withOpusOptions(sdp: string): string {
  const all = lines(sdp);
  const watches = all.includes('a=recvonly');
  const redundant = watches && all.some((line) => /^a=rtpmap:\d+ red\/48000/i.test(line));
  const payloadTypes = new Set<string>();
  for (const line of all) {
    const match = /^a=rtpmap:(\d+) opus\//i.exec(line);
    if (match?.[1] !== undefined) payloadTypes.add(match[1]);
  }
  return join(
    all.flatMap((line) => {
      const match = /^a=(fmtp|rtpmap):(\d+) (.*)$/.exec(line);
      const [, attribute, payloadType = '', value = ''] = match ?? [];
      if (!payloadTypes.has(payloadType)) return [line];
      if (attribute === 'rtpmap') {
        const nack = `a=rtcp-fb:${payloadType} nack`;
        return redundant || all.includes(nack) ? [line] : [line, nack];
      }
      const stereo = /(^|;)\s*stereo=1/.test(value);
      return [stereo ? line : `${line};stereo=1;sprop-stereo=1`];
    }),
  );
}

/** The credentials of a local description as the body of an ICE restart (RFC 8840 §9, RFC 9725 §4.3.3). */
export function iceRestartFragment(offer: string): string {
  const all = lines(offer);
  const firstMedia = all.findIndex((line) => line.startsWith('m='));
  if (firstMedia === -1) throw new Error('The offer has no media section.');
  const find = (prefix: string): string | undefined => all.find((line) => line.startsWith(prefix));
  const wanted = ['a=ice-ufrag:', 'a=ice-pwd:'].map((prefix) => {
    const line = find(prefix);
    if (line === undefined) throw new Error(`The offer has no ${prefix.slice(2, -1)}.`);
    return line;
  });
  const optional = [find('a=group:BUNDLE'), find('a=ice-options:')];
  const media = [all[firstMedia], find('a=mid:')];
  return join([...optional, ...wanted, ...media].filter((line) => line !== undefined));
}

/** The answer as it would read after an ICE restart: new credentials and candidates, all else as it was. */
export function withIceRestart(answer: string, fragment: string): string {
  const given = lines(fragment);
  const ufrag = given.find((line) => line.startsWith('a=ice-ufrag:'));
  const password = given.find((line) => line.startsWith('a=ice-pwd:'));
  if (ufrag === undefined || password === undefined) {
    throw new Error('The server restarted ICE without saying its credentials.');
  }
  const candidates = given.filter((line) => line.startsWith('a=candidate:'));
  const sections = splitSections(lines(answer));
  const firstMedia = 1;
  return join(
    sections.flatMap((section, index) => [
      ...section.flatMap((line) => {
        if (line.startsWith('a=ice-ufrag:')) return [ufrag];
        if (line.startsWith('a=ice-pwd:')) return [password];
        if (/^a=(candidate:|end-of-candidates)/.test(line)) return [];
        return [line];
      }),
      // With BUNDLE the transport belongs to the first media section (RFC 9143 §7.2).
      ...(index === firstMedia ? [...candidates, 'a=end-of-candidates'] : []),
    ]),
  );
}

/** The session part, then each media section. */
function splitSections(all: readonly string[]): string[][] {
  const sections: string[][] = [[]];
  for (const line of all) {
    if (line.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push(line);
  }
  return sections;
}
