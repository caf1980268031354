import type { Problem } from '../shared/problem.ts';
import { byId, setText } from '../shared/dom.ts';

const TOKEN_KEY = 'spillway-admin-token';

/**
 * The administrator's token: it lives in this tab only, and never in an address. Without one the node is asked all the same, since
 * it may trust those who sit at it.
 */
export class Gate {
  readonly #section = byId('gate', HTMLElement);
  readonly #form = byId('gate-form', HTMLFormElement);
  readonly #field = byId('token', HTMLInputElement);
  readonly #problem = byId('gate-problem', HTMLElement);
  readonly #leave = byId('leave', HTMLButtonElement);

  /** `onToken`: there is another one, or none any more. */
  constructor(onToken: () => void) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.keep(this.#field.value.trim());
      onToken();
    });
    this.#leave.addEventListener('click', () => {
      this.forget();
      onToken();
    });
  }

  get token(): string {
    return sessionStorage.getItem(TOKEN_KEY) ?? '';
  }

  keep(token: string): void {
    sessionStorage.setItem(TOKEN_KEY, token);
  }

  forget(): void {
    sessionStorage.removeItem(TOKEN_KEY);
  }

  /** The node has let us in. */
  opened(): void {
    this.#section.hidden = true;
    this.#field.value = '';
    this.#leave.hidden = this.token === '';
  }

  /** Asks for a token, and says what is wrong with the one that was tried. */
  ask(problem: Problem): void {
    setText(this.#problem, this.token === '' ? '' : wordsOf(problem));
    this.forget();
    this.#field.value = '';
    this.#leave.hidden = true;
    this.#section.hidden = false;
    this.#field.focus();
  }
}

function wordsOf({ status, detail }: Problem): string {
  const what =
    status === 403
      ? 'This token is for something else: an admin token is needed.'
      : 'The node doesn’t take this token.';
  return detail === '' ? what : `${what} It says: ${detail}`;
}
