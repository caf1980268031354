import { addChatChannels, type ChatChannels } from './chat-channels.ts';
import { deleteSession, patchIceRestart, postOffer, type SessionResource } from './http.ts';
import type { Extensions } from './links.ts';
import { iceRestartFragment, withIceRestart, withOpusOptions } from './sdp.ts';

/** How long a path may take to come up before it counts as lost. */
const CONNECT_TIMEOUT_MS = 12_000;
/** How long a path may be silent before it counts as lost; a short radio gap heals by itself. */
const DISCONNECTED_MS = 3_000;

/**
 * What happened to the path between browser and node: it came up, it was lost (an ICE restart may bring it back), or the
 * node closed it.
 */
export type PathEvent = 'up' | 'lost' | 'closed';

export interface PeerOptions {
  endpoint: string;
  token: string;
  signal: AbortSignal;
  /** Adds the tracks and transceivers to offer. */
  prepare: (peer: RTCPeerConnection) => void;
  onPath: (event: PathEvent) => void;
}

/**
 * One WHIP or WHEP session and its peer connection.
 *
 * Open it, listen to `onPath`, call `restartIce` when the path is lost, and `close` it in the end. No candidates are
 * trickled: the node is ICE-lite and learns the browser's addresses from its connectivity checks.
 */
export class PeerSession {
  readonly peer: RTCPeerConnection;
  /** Where the session's extensions are. */
  readonly extensions: Extensions;
  /** What the chat goes through, if the node opens them. */
  readonly channels: ChatChannels;
  readonly #resource: SessionResource;
  readonly #token: string;
  readonly #onPath: (event: PathEvent) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  private constructor(
    peer: RTCPeerConnection,
    channels: ChatChannels,
    resource: SessionResource,
    options: PeerOptions,
  ) {
    this.peer = peer;
    this.channels = channels;
    this.extensions = resource.extensions;
    this.#resource = resource;
    this.#token = options.token;
    this.#onPath = options.onPath;
    peer.addEventListener('connectionstatechange', () => {
      this.#pathChanged();
    });
    this.#watchDtls();
    this.#lostIn(CONNECT_TIMEOUT_MS);
    this.#pathChanged();
  }

  static async open(options: PeerOptions): Promise<PeerSession> {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    let resource: SessionResource | undefined;
    try {
      options.prepare(peer);
      const channels = addChatChannels(peer);
      const offer = await peer.createOffer();
      const sdp = withOpusOptions(offer.sdp ?? '');
      resource = await postOffer(options.endpoint, sdp, options.token, options.signal);
      // Setting the local description starts gathering, so it waits for the TURN servers that the answer names.
      if (resource.iceServers.length > 0) {
        peer.setConfiguration({ bundlePolicy: 'max-bundle', iceServers: resource.iceServers });
      }
      await peer.setLocalDescription({ type: 'offer', sdp });
      await peer.setRemoteDescription({ type: 'answer', sdp: resource.answer });
      options.signal.throwIfAborted();
      return new PeerSession(peer, channels, resource, options);
    } catch (error) {
      peer.close();
      if (resource !== undefined) deleteSession(resource.url, options.token);
      throw error;
    }
  }

  /** New ICE credentials on the same session. If the node refuses, the old path stays as it was. */
  async restartIce(): Promise<void> {
    const offer = await this.peer.createOffer({ iceRestart: true });
    const sdp = withOpusOptions(offer.sdp ?? '');
    const fragment = await patchIceRestart(
      this.#resource.url,
      iceRestartFragment(sdp),
      this.#token,
    );
    const answer = withIceRestart(this.#resource.answer, fragment);
    await this.peer.setLocalDescription({ type: 'offer', sdp });
    await this.peer.setRemoteDescription({ type: 'answer', sdp: answer });
    this.#lostIn(CONNECT_TIMEOUT_MS);
  }

  /** Ends the session on both sides. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.peer.close();
    deleteSession(this.#resource.url, this.#token);
  }

  #pathChanged(): void {
    if (this.#closed) return;
    const state = this.peer.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#onPath('up');
    } else if (state === 'failed') {
      clearTimeout(this.#timer);
      this.#onPath('lost');
    } else if (state === 'disconnected') {
      this.#lostIn(DISCONNECTED_MS);
    }
  }

  /** A DTLS close_notify ends the session at once, while ICE alone would notice only after its time-out. */
  #watchDtls(): void {
    const ends = [...this.peer.getReceivers(), ...this.peer.getSenders()];
    const transport = ends.find((end) => end.transport !== null)?.transport;
    transport?.addEventListener('statechange', () => {
      if (this.#closed || transport.state !== 'closed') return;
      clearTimeout(this.#timer);
      this.#onPath('closed');
    });
  }

  #lostIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // An ICE restart can succeed without the state ever leaving "connected".
      if (!this.#closed && this.peer.connectionState !== 'connected') this.#onPath('lost');
    }, milliseconds);
  }
}
