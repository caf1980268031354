/** What the dashboard shows, as its address says it. The fragment is never sent to a server. */
export interface Route {
  /** Null: all of the node. */
  broadcast: string | null;
  /** Empty without one. */
  token: string;
}

/** Reads `#broadcast=…&token=…`. What is no broadcast's name is none. Null for a fragment that names a place of the page. */
export function readRoute(hash: string): Route | null {
  if (hash.length > 1 && !hash.includes('=')) return null;
  const fragment = new URLSearchParams(hash.replace(/^#/, ''));
  const broadcast = fragment.get('broadcast') ?? '';
  return {
    broadcast: /^[A-Za-z0-9_-]{1,64}$/.test(broadcast) ? broadcast : null,
    token: fragment.get('token')?.trim() ?? '',
  };
}

/** The address of a broadcast's page, or of the first one, without a token. */
export function routeTo(broadcast: string | null): string {
  return broadcast === null ? '/dashboard' : `/dashboard#broadcast=${broadcast}`;
}
