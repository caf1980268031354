/** One `Link` header splits at commas outside `<…>` and quotes (RFC 8288 §3). */
const LINK = /<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const PARAMETER = /;\s*([\w!#$&+.^`|~*-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

/** The STUN and TURN servers that a WHIP or WHEP answer names (RFC 9725 §4.6). */
export function iceServersFromLink(header: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, url = '', parameters = ''] of (header ?? '').matchAll(LINK)) {
    const named = parseParameters(parameters);
    if (named.get('rel') !== 'ice-server' || !/^(stun|turn)s?:/i.test(url)) continue;
    const username = named.get('username');
    const credential = named.get('credential');
    servers.push({
      urls: url,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    });
  }
  return servers;
}

function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, bare] of text.matchAll(PARAMETER)) {
    parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return parameters;
}
