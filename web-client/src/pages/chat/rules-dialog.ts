import type { Chat } from '../../chat/chat.ts';
import type { Action, Rules } from '../../chat/protocol.ts';
import { formatSpan } from '../../chat/words.ts';
import { make } from '../../shared/dom.ts';

const SLOW_S = [0, 3, 5, 10, 30, 60, 120, 300] as const;
const FOLLOWED_S = [0, 600, 3_600, 86_400, 604_800, 2_592_000] as const;
/** What the protocol allows. */
const MAX_WORDS = 500;
const MAX_WORD = 64;
const MAX_TITLE = 100;
const ANYBODY = 'anybody';

/** The rules of a channel's chat and, for streamers, the goal of its donations. */
export class RulesDialog {
  readonly element = make('dialog', 'chat-dialog');
  readonly #chat: Chat;
  readonly #onFailed: (text: string) => void;
  readonly #slow = make('select', '');
  readonly #followers = make('select', '');
  readonly #links = make('input', '');
  readonly #words = make('textarea', 'chat-words');
  readonly #goalTitle = make('input', '');
  readonly #goalAmount = make('input', '');
  readonly #goalCurrency = make('input', '');
  readonly #goal: HTMLFieldSetElement;
  readonly #alert = make('p', 'chat-news');
  #before: Rules | null = null;

  constructor(chat: Chat, onFailed: (text: string) => void) {
    this.#chat = chat;
    this.#onFailed = onFailed;
    this.#dress();
    this.#goal = make(
      'fieldset',
      'chat-goal-fields',
      make('legend', 'label', 'Goal of donations'),
      field('Title', this.#goalTitle),
      make(
        'div',
        'pair',
        field('Amount (0 for none)', this.#goalAmount),
        field('Currency', this.#goalCurrency),
      ),
    );
    this.element.append(this.#form());
  }

  open(): void {
    const { rules, goal, rights } = this.#chat.room;
    this.#before = rules;
    choose(this.#slow, rules.slowS, (seconds) => `One in ${formatSpan(seconds)}`);
    const followed = rules.followersOnlyS;
    if (followed === null) this.#followers.value = ANYBODY;
    else choose(this.#followers, followed, (seconds) => `For ${formatSpan(seconds)}`);
    this.#links.checked = rules.links;
    this.#words.value = (rules.words ?? []).join('\n');
    this.#goal.hidden = !rights.stream;
    this.#goalTitle.value = goal?.title ?? '';
    this.#goalCurrency.value = goal?.currency ?? 'EUR';
    this.#goalAmount.value =
      goal === null ? '' : String(goal.amount / 10 ** digitsOf(goal.currency));
    this.#alert.textContent = '';
    this.element.showModal();
  }

  #dress(): void {
    for (const seconds of SLOW_S) {
      addOption(this.#slow, seconds, seconds === 0 ? 'Off' : `One in ${formatSpan(seconds)}`);
    }
    addOption(this.#followers, ANYBODY, 'Anybody');
    for (const seconds of FOLLOWED_S) {
      const text = seconds === 0 ? 'Followers' : `Followers for ${formatSpan(seconds)}`;
      addOption(this.#followers, seconds, text);
    }
    this.#links.type = 'checkbox';
    this.#words.rows = 4;
    this.#words.spellcheck = false;
    this.#goalTitle.maxLength = MAX_TITLE;
    this.#goalAmount.inputMode = 'decimal';
    this.#goalCurrency.maxLength = 3;
    this.#goalCurrency.setAttribute('autocapitalize', 'characters');
    this.#alert.setAttribute('role', 'alert');
    this.element.setAttribute('aria-label', 'Rules of the chat');
  }

  #form(): HTMLFormElement {
    const cancel = make('button', 'button', 'Cancel');
    cancel.type = 'button';
    cancel.addEventListener('click', () => {
      this.element.close();
    });
    const form = make(
      'form',
      '',
      make('h2', '', 'Rules of the chat'),
      field('Slow mode', this.#slow),
      field('Who may write', this.#followers),
      make('label', 'check', this.#links, make('span', '', 'Links are allowed')),
      field('Words that aren’t allowed, one on each line', this.#words),
      this.#goal,
      this.#alert,
      make('div', 'chat-dialog-actions', cancel, make('button', 'button primary', 'Save')),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    return form;
  }

  #save(): void {
    const words = this.#words.value.split('\n').map((word) => word.trim());
    const wanted = words.filter((word) => word !== '');
    const tooLong = wanted.find((word) => word.length > MAX_WORD);
    if (wanted.length > MAX_WORDS || tooLong !== undefined) {
      const most = `At most ${MAX_WORDS} words of up to ${MAX_WORD} characters.`;
      this.#alert.textContent = most;
      return;
    }
    const goal = this.#goal.hidden ? null : this.#goalAction();
    if (goal === 'unsound') {
      this.#alert.textContent = 'A goal is an amount and a currency’s three letters, as in EUR.';
      return;
    }
    const actions = [this.#rulesAction(wanted), goal].filter((action) => action !== null);
    const said = actions.every((action) => this.#chat.moderate(action));
    if (!said) this.#onFailed('The chat isn’t connected. Nothing was changed.');
    this.element.close();
  }

  /** What has changed, if anything. */
  #rulesAction(words: string[]): Action | null {
    const before = this.#before;
    const slow = Number(this.#slow.value);
    const followers = this.#followers.value === ANYBODY ? null : Number(this.#followers.value);
    const links = this.#links.checked;
    const sameWords = words.join('\n') === (before?.words ?? []).join('\n');
    const change = {
      ...(slow !== before?.slowS && { slow_s: slow }),
      ...(followers !== before?.followersOnlyS && { followers_only_s: followers }),
      ...(links !== before?.links && { links }),
      ...(!sameWords && { words }),
    };
    return Object.keys(change).length === 0 ? null : { kind: 'rules', ...change };
  }

  #goalAction(): Action | 'unsound' | null {
    const { goal } = this.#chat.room;
    const currency = this.#goalCurrency.value.trim().toUpperCase();
    const written = this.#goalAmount.value.trim().replace(',', '.');
    if (!/^[A-Z]{3}$/.test(currency) || !/^\d*(\.\d*)?$/.test(written)) return 'unsound';
    const amount = Math.round(Number(written || '0') * 10 ** digitsOf(currency));
    if (!Number.isSafeInteger(amount)) return 'unsound';
    const title = this.#goalTitle.value.trim();
    const isSame =
      amount === (goal?.amount ?? 0) &&
      (amount === 0 || (title === goal?.title && currency === goal.currency));
    return isSame ? null : { kind: 'goal', currency, amount, title };
  }
}

function field(name: string, control: HTMLElement): HTMLLabelElement {
  return make('label', 'field', name, control);
}

function addOption(select: HTMLSelectElement, value: number | string, text: string): void {
  select.append(new Option(text, String(value)));
}

/** Somebody else may have set what isn't among the choices. */
function choose(
  select: HTMLSelectElement,
  value: number,
  describe: (value: number) => string,
): void {
  select.value = String(value);
  if (select.value === String(value)) return;
  addOption(select, value, describe(value));
  select.value = String(value);
}

function digitsOf(currency: string): number {
  try {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency });
    return format.resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}
