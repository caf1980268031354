import type { Chat } from '../../chat/chat.ts';

/** What tests and the curious may know of a chat. */
export function viewOf(chat: Chat, pictureTime: number | null): unknown {
  const { room, state, lines, last } = chat;
  return {
    state,
    self: room.self,
    rights: room.rights,
    rules: room.rules,
    broadcast: room.broadcast,
    presence: room.presence,
    goal: room.goal,
    following: room.following,
    pinned: chat.pinned,
    last,
    pictureTime,
    lines: lines.map(({ entry, isPending, refused }) => ({ entry, isPending, refused })),
  };
}
