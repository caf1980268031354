import type { Goal } from '../../chat/protocol.ts';
import { formatMoney } from '../../chat/words.ts';
import { make, setText } from '../../shared/dom.ts';

/** How far it is to what donations are wanted for. */
export class GoalBar {
  readonly element = make('div', 'chat-goal');
  readonly #title = make('bdi', 'chat-goal-title');
  readonly #sum = make('span', 'chat-goal-sum');
  readonly #bar = make('progress', 'chat-goal-bar');

  constructor() {
    this.#bar.setAttribute('aria-label', 'Goal');
    this.element.append(make('div', 'chat-goal-head', this.#title, this.#sum), this.#bar);
    this.element.hidden = true;
  }

  show(goal: Goal | null): void {
    this.element.hidden = goal === null;
    if (goal === null) return;
    const { title, currency, amount, raised } = goal;
    setText(this.#title, title || 'Goal');
    setText(this.#sum, `${formatMoney(raised, currency)} of ${formatMoney(amount, currency)}`);
    this.#bar.max = amount;
    this.#bar.value = Math.min(raised, amount);
    this.element.classList.toggle('reached', raised >= amount);
  }
}
