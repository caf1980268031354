import type { ActionEntry, ChannelEvent, Refusal, Rules } from './protocol.ts';

/** An amount in a currency's minor units, as people read it: €5.00. */
export function formatMoney(amount: number, currency: string): string {
  try {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency });
    const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
    return format.format(amount / 10 ** digits);
  } catch {
    return `${amount} ${currency}`.trim();
  }
}

/** How long, in the largest units that say it: 10 min. */
export function formatSpan(seconds: number): string {
  const units = [
    ['day', 86_400],
    ['h', 3_600],
    ['min', 60],
  ] as const;
  for (const [unit, size] of units) {
    if (seconds < size) continue;
    const exact = seconds / size;
    const count = exact < 3 ? Math.round(exact * 10) / 10 : Math.round(exact);
    return `${count} ${unit === 'day' && count !== 1 ? 'days' : unit}`;
  }
  return `${Math.round(seconds)} s`;
}

const REFUSALS: Readonly<Record<string, string>> = {
  too_long: 'That is too long.',
  unauthorized: 'Your link or key isn’t valid for this chat.',
  forbidden: 'You may not do that here.',
  name_taken: 'Somebody else has that name.',
  name_refused: 'That name can’t be used here.',
  empty: 'There is nothing to show in that message.',
  filtered: 'That message has a word that isn’t allowed here.',
  links: 'Links aren’t allowed in this chat.',
  rate: 'You write too fast. Wait a moment.',
  busy: 'The chat is too busy right now. Try again in a moment.',
  timed_out: 'You may not write for a while.',
  banned: 'You are banned from this chat.',
  followers_only: 'Only followers may write now. Follow the channel first.',
  not_found: 'That message or person is gone.',
  store: 'The server can’t keep messages right now. Try again.',
};

/** Why something was refused, in plain words. */
export function describeRefusal({ code, text, retryAfterS }: Refusal): string {
  if (code === 'slow') {
    return retryAfterS === null
      ? 'Slow mode: wait a moment.'
      : `Slow mode: wait ${formatSpan(retryAfterS)}.`;
  }
  const known = REFUSALS[code];
  if (known !== undefined) return known;
  return text === '' ? 'That didn’t work.' : text;
}

/** The rules that hold beside the usual, for those who write. */
export function describeRules({ slowS, followersOnlyS, links }: Rules): string {
  const parts = [
    slowS > 0 ? `Slow mode: one message in ${formatSpan(slowS)}` : '',
    followersOnlyS === null ? '' : followersOnly(followersOnlyS),
    links ? '' : 'No links',
  ];
  return parts.filter(Boolean).join(' · ');
}

function followersOnly(seconds: number): string {
  return seconds === 0 ? 'Followers only' : `Followers of ${formatSpan(seconds)} only`;
}

/** What a moderator did, after their name. */
export function describeAction(
  { action }: ActionEntry,
  nameOf: (author: string) => string,
): string {
  const why = 'reason' in action && action.reason ? `: ${action.reason}` : '';
  switch (action.kind) {
    case 'delete':
      return 'deleted a message';
    case 'timeout':
      return `timed ${nameOf(action.author)} out for ${formatSpan(action.seconds)}${why}`;
    case 'ban':
      return `banned ${nameOf(action.author)}${why}`;
    case 'unban':
      return `lets ${nameOf(action.author)} write again`;
    case 'pin':
      return action.seq === null ? 'unpinned the message' : 'pinned a message';
    case 'rules':
      return 'changed the rules';
    case 'goal':
      return action.amount === 0
        ? 'took the goal away'
        : `set a goal of ${formatMoney(action.amount, action.currency)}`;
  }
}

/** What somebody did for the channel, after their name. */
export function describeEvent({ kind, amount, currency, months }: ChannelEvent): string {
  const much = currency === '' ? '' : formatMoney(amount, currency);
  if (kind === 'subscription') {
    const since = months > 1 ? `, ${months} months now` : '';
    return `subscribed${much === '' ? '' : ` for ${much}`}${since}`;
  }
  return much === '' ? 'donated' : `donated ${much}`;
}

/** A colour for a name, as degrees of hue: the same for the same author everywhere. */
export function hueOf(author: string): number {
  let hash = 0;
  for (let i = 0; i < author.length; i += 1) hash = (hash * 31 + author.charCodeAt(i)) | 0;
  // Neighbouring numbers get colours far apart.
  return Math.floor((((hash >>> 0) * 137.508) % 360) / 12) * 12;
}
