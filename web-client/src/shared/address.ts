/** What a page's own address says. */
export interface PageAddress {
  channel: string;
  token: string;
  layer: string;
  /** How it is to be watched. */
  player: 'webrtc' | 'hls';
}

/**
 * Reads `/watch/{channel}?token=…&layer=…&player=…`. A token may also stand in the fragment (`#token=…`), which browsers never
 * send to a server. Null if there is no valid channel name.
 */
export function readAddress(url: URL): PageAddress | null {
  const name = nameOf(url);
  if (!isChannelName(name)) return null;
  return {
    channel: name,
    token: tokenOf(url),
    layer: url.searchParams.get('layer') ?? '',
    player: url.searchParams.get('player') === 'hls' ? 'hls' : 'webrtc',
  };
}

/** What the address of a recording's page says. */
export interface VodAddress {
  broadcast: string;
  token: string;
  /** Where it begins to play, in seconds. */
  startAt: number;
}

/** Reads `/vod/{broadcast}?t=…&token=…`, with the token in the fragment as well. Null if there is no broadcast. */
export function readVodAddress(url: URL): VodAddress | null {
  const broadcast = nameOf(url);
  // Its name is the node's, which makes them of the same letters as channels.
  if (!isChannelName(broadcast)) return null;
  const startAt = Number(url.searchParams.get('t') ?? 0);
  return { broadcast, token: tokenOf(url), startAt: startAt > 0 ? startAt : 0 };
}

/** The same page with the other player: what it is given otherwise stays. */
export function withPlayer(url: URL, player: PageAddress['player']): string {
  const other = new URL(url);
  if (player === 'hls') other.searchParams.set('player', player);
  else other.searchParams.delete('player');
  return other.href;
}

function nameOf(url: URL): string {
  return url.pathname.replace(/\/+$/, '').split('/').at(2) ?? '';
}

function tokenOf(url: URL): string {
  const fragment = new URLSearchParams(url.hash.slice(1));
  return fragment.get('token') ?? url.searchParams.get('token') ?? '';
}

export function isChannelName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(name);
}
