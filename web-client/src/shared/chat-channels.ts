/** The chat's data channels of one session: docs/chat-protocol.md. */
export interface ChatChannels {
  chat: RTCDataChannel;
  /** What may get lost rather than be late. */
  reactions: RTCDataChannel;
}

/** Adds the chat's channels to a session that is about to be offered. */
export function addChatChannels(peer: RTCPeerConnection): ChatChannels {
  return {
    chat: peer.createDataChannel('chat', { ordered: true }),
    reactions: peer.createDataChannel('reactions', { ordered: false, maxRetransmits: 0 }),
  };
}
