import { BroadcastReader } from '../dashboard/broadcast.ts';
import { Client } from '../dashboard/client.ts';
import { OverviewReader } from '../dashboard/overview.ts';
import { Poll } from '../dashboard/poll.ts';
import { readRoute, routeTo } from '../dashboard/route.ts';
import { describeAge } from '../dashboard/words.ts';
import { byId, setText } from '../shared/dom.ts';
import type { Problem } from '../shared/problem.ts';
import { BroadcastPage } from './dashboard-broadcast.ts';
import { Gate } from './dashboard-gate.ts';
import { OverviewPage } from './dashboard-overview.ts';
import { expose } from './expose.ts';

/** How often it's looked how old the figures are. */
const AGE_MS = 1_000;

/** The dashboard: who may see it, which of its pages is shown, and how fresh that is. */
class Dashboard {
  readonly #root = document.documentElement;
  readonly #age = byId('age', HTMLElement);
  readonly #ageText = byId('age-text', HTMLElement);
  readonly #why = byId('why', HTMLElement);
  readonly #loading = byId('loading', HTMLElement);
  readonly #gate = new Gate(() => {
    this.#restart();
  });
  readonly #client = new Client(() => this.#gate.token);
  /** Of the page that is shown. */
  #reader: OverviewReader | BroadcastReader = new OverviewReader(this.#client);
  readonly #overview = new OverviewPage();
  readonly #page = new BroadcastPage();
  readonly #poll = new Poll({
    ask: () => this.#ask(),
    isHidden: () => document.hidden,
    onAsked: (problem) => {
      this.#problem = problem;
      this.#showAge();
    },
    onRefused: (problem) => {
      this.#refused(problem);
    },
  });
  /** Null: all of the node. */
  #broadcast: string | null = null;
  #problem: Problem | null = null;

  constructor() {
    expose({
      broadcast: () => this.#broadcast,
      answeredAt: () => this.#poll.answeredAt,
      problem: () => this.#problem,
    });
    this.#takeRoute();
    window.addEventListener('hashchange', () => {
      if (!this.#takeRoute()) return;
      this.#restart();
      // What had the focus is gone.
      byId('main', HTMLElement).focus();
    });
    for (const type of ['visibilitychange', 'online']) {
      (type === 'online' ? window : document).addEventListener(type, () => {
        if (!document.hidden) this.#poll.wake();
      });
    }
    setInterval(() => {
      this.#showAge();
    }, AGE_MS);
    this.#restart();
  }

  /** Whether the address leads elsewhere. A token leaves it at once: it would be seen and shared there. */
  #takeRoute(): boolean {
    const route = readRoute(location.hash);
    if (route === null) return false;
    const { broadcast, token } = route;
    const isNew = broadcast !== this.#broadcast || token !== '';
    this.#broadcast = broadcast;
    if (token !== '') {
      this.#gate.keep(token);
      history.replaceState(null, '', routeTo(broadcast));
    }
    return isNew;
  }

  /** Another page, or another token: nothing of what was shown is true any more. */
  #restart(): void {
    this.#poll.stop();
    const id = this.#broadcast;
    this.#reader =
      id === null ? new OverviewReader(this.#client) : new BroadcastReader(this.#client, id);
    this.#problem = null;
    this.#show('loading');
    this.#poll.start();
  }

  async #ask(): Promise<void> {
    const reader = this.#reader;
    const isShown = (): boolean => reader === this.#reader;
    if (reader instanceof BroadcastReader) {
      const view = await reader.ask();
      if (!isShown()) return;
      this.#page.show(view);
      this.#show('broadcast');
      return;
    }
    await reader.ask((overview) => {
      if (!isShown()) return;
      this.#overview.show(overview);
      this.#show('overview');
    });
  }

  #refused(problem: Problem): void {
    this.#show('asking');
    this.#gate.ask(problem);
  }

  #show(state: 'loading' | 'asking' | 'overview' | 'broadcast'): void {
    this.#root.dataset.state = state;
    this.#loading.hidden = state !== 'loading';
    this.#overview.element.hidden = state !== 'overview';
    this.#page.element.hidden = state !== 'broadcast';
    if (state === 'overview' || state === 'broadcast') this.#gate.opened();
    this.#showAge();
  }

  #showAge(): void {
    if (document.hidden) return;
    const { title = '', detail = '' } = this.#problem ?? {};
    const text = describeAge(performance.now(), this.#poll.answeredAt, this.#problem !== null);
    setText(this.#ageText, text);
    // What changes each second isn't read out.
    setText(this.#why, detail === '' ? title : detail);
    this.#age.hidden = text === '' || this.#root.dataset.state === 'asking';
  }
}

new Dashboard();
