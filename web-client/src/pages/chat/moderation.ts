import type { Chat } from '../../chat/chat.ts';
import { says, type Line } from '../../chat/log.ts';
import type { Action, ActionEntry, Author, EventEntry, MessageEntry } from '../../chat/protocol.ts';
import type { MenuAction } from './action-menu.ts';

const TIMEOUT_S = 600;

/** What this client may do with a line: moderators with anybody's but their own kind's, all with what they said themselves. */
export function actionsFor(
  line: Line,
  chat: Chat,
  moderate: (action: Action) => void,
): MenuAction[] {
  if (line.isPending || line.refused !== null) return [];
  const { entry } = line;
  if (entry.type === 'message') return forMessage(entry, chat, moderate);
  return entry.type === 'action'
    ? forAction(entry, chat, moderate)
    : forEvent(entry, chat, moderate);
}

function forMessage(
  entry: MessageEntry,
  chat: Chat,
  moderate: (action: Action) => void,
): MenuAction[] {
  const { rights, self } = chat.room;
  const { seq, author, deleted } = entry;
  const actions: MenuAction[] = [];
  const add = (name: string, action: Action, isDangerous = false): void => {
    actions.push({
      name,
      isDangerous,
      run: () => {
        moderate(action);
      },
    });
  };
  const isOwn = author.id === self?.id;
  if (!deleted && (isOwn || rights.moderate)) add('Delete message', { kind: 'delete', seq });
  if (rights.moderate && !deleted) {
    if (chat.pinned?.seq === seq) add('Unpin message', { kind: 'pin', seq: null });
    else add('Pin message', { kind: 'pin', seq });
  }
  if (rights.moderate && !isOwn && isBelow(author, chat)) {
    const of = { author: author.id };
    add('Time out for 10 min', { kind: 'timeout', ...of, seconds: TIMEOUT_S }, true);
    add('Ban', { kind: 'ban', ...of }, true);
  }
  return actions;
}

/** What was given stays, what was written beside it needn't. */
function forEvent(
  { seq, event }: EventEntry,
  { room }: Chat,
  moderate: (action: Action) => void,
): MenuAction[] {
  if (!room.rights.moderate || !says(event)) return [];
  const run = (): void => {
    moderate({ kind: 'delete', seq });
  };
  return [{ name: 'Delete name and message', run }];
}

/** What was done to somebody can be undone. */
function forAction(
  { action }: ActionEntry,
  { room }: Chat,
  moderate: (action: Action) => void,
): MenuAction[] {
  if (!room.rights.moderate || (action.kind !== 'ban' && action.kind !== 'timeout')) return [];
  const { author } = action;
  const run = (): void => {
    moderate({ kind: 'unban', author });
  };
  return [{ name: 'Let them write again', run }];
}

/** Moderators can't act on the streamer or each other; the streamer can on all. */
function isBelow({ role }: Author, { room }: Chat): boolean {
  return role === 'viewer' || (role === 'moderator' && room.rights.stream);
}
