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
  const name = url.pathname.replace(/\/+$/, '').split('/').at(2) ?? '';
  if (!isChannelName(name)) return null;
  const fragment = new URLSearchParams(url.hash.slice(1));
  return {
    channel: name,
    token: fragment.get('token') ?? url.searchParams.get('token') ?? '',
    layer: url.searchParams.get('layer') ?? '',
    player: url.searchParams.get('player') === 'hls' ? 'hls' : 'webrtc',
  };
}

/** The same page with the other player: what it is given otherwise stays. */
export function withPlayer(url: URL, player: PageAddress['player']): string {
  const other = new URL(url);
  if (player === 'hls') other.searchParams.set('player', player);
  else other.searchParams.delete('player');
  return other.href;
}

export function isChannelName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(name);
}
