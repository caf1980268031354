/** One `Link` header splits at commas outside `<…>` and quotes (RFC 8288 §3). */
const LINK = /<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const PARAMETER = /;\s*([\w!#$&+.^`|~*-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

const EVENTS = 'urn:ietf:params:whep:ext:core:server-sent-events';
const LAYER = 'urn:ietf:params:whep:ext:core:layer';

interface Link {
  url: string;
  parameters: ReadonlyMap<string, string>;
}

/** Where a WHEP session's extensions are, if it has them. */
export interface Extensions {
  /** Makes event streams. */
  events: string | null;
  /** Takes a choice of layers. */
  layer: string | null;
}

/** The STUN and TURN servers that a WHIP or WHEP answer names (RFC 9725 §4.6). */
export function iceServersFromLink(header: string | null): RTCIceServer[] {
  const servers = withRelation(header, 'ice-server').filter(({ url }) =>
    /^(stun|turn)s?:/i.test(url),
  );
  return servers.map(({ url, parameters }) => {
    const username = parameters.get('username');
    const credential = parameters.get('credential');
    return {
      urls: url,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    };
  });
}

/** The extensions that a WHEP answer names; `base` is the address that answered. */
export function extensionsFromLink(header: string | null, base: string): Extensions {
  const find = (relation: string): string | null => {
    const url = withRelation(header, relation).at(0)?.url ?? '';
    return url === '' ? null : webUrl(url, base);
  };
  return { events: find(EVENTS), layer: find(LAYER) };
}

/** An address that a server names, or null if it can't be one to send requests to. */
export function webUrl(url: string, base: string): string | null {
  try {
    const { href, protocol } = new URL(url, base);
    return protocol === 'http:' || protocol === 'https:' ? href : null;
  } catch {
    return null;
  }
}

function withRelation(header: string | null, relation: string): Link[] {
  return [...(header ?? '').matchAll(LINK)]
    .map(([, url = '', parameters = '']) => ({ url, parameters: parseParameters(parameters) }))
    .filter(({ parameters }) => parameters.get('rel') === relation);
}

function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, bare] of text.matchAll(PARAMETER)) {
    parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return parameters;
}
