/** What WHIP and WHEP sessions have in common: offer, POST, answer, DELETE. */
export async function openSession(peer, options) {
  const { url, token, editOffer = (sdp) => sdp, editAnswer = (sdp) => sdp } = options;
  const made = await peer.createOffer();
  const offer = { type: 'offer', sdp: editOffer(made.sdp) };
  await peer.setLocalDescription(offer);
  const postedAt = performance.now();
  const headers = { 'content-type': 'application/sdp' };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(url, { method: 'POST', headers, body: offer.sdp });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`${url} answered ${response.status}: ${body}`);
  const location = new URL(response.headers.get('location'), url).href;
  await peer.setRemoteDescription({ type: 'answer', sdp: editAnswer(body) });
  return {
    postedAt,
    answer: body,
    layerUrl: linked(response, 'urn:ietf:params:whep:ext:core:layer'),
    close: async () => {
      peer.close();
      const ended = await fetch(location, {
        method: 'DELETE',
        headers: token ? { authorization: headers.authorization } : {},
      });
      await ended.text();
    },
  };
}

/** The URL of the `Link` header with this relation. */
function linked(response, relation) {
  const links = (response.headers.get('link') ?? '').split(/,\s*(?=<)/);
  const target = links.find((link) => link.includes(`rel="${relation}"`));
  return target && new URL(/^<([^>]*)>/.exec(target)[1], response.url).href;
}

/** Resolves when the connection is up; rejects when it failed. */
export function connected(peer) {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (peer.connectionState === 'connected') resolve();
      if (peer.connectionState === 'failed') reject(new Error('the peer connection failed'));
    };
    peer.addEventListener('connectionstatechange', check);
    check();
  });
}

/** All statistics as an array of plain objects. */
export async function statistics(peer) {
  return [...(await peer.getStats()).values()].map((entry) => ({ ...entry }));
}

/** The transport's facts: what protects it, and which pair of candidates carries it. */
export async function transport(peer) {
  const stats = await statistics(peer);
  const path = stats.find(({ type }) => type === 'transport');
  const pair =
    stats.find(({ id }) => id === path?.selectedCandidatePairId) ??
    stats.find(({ type, selected }) => type === 'candidate-pair' && selected);
  const byId = (id) => stats.find((entry) => entry.id === id);
  return {
    srtpCipher: path?.srtpCipher,
    dtlsVersion: path?.tlsVersion,
    roundTripTime: pair?.currentRoundTripTime,
    local: byId(pair?.localCandidateId),
    remote: byId(pair?.remoteCandidateId),
  };
}
