import type { Chat } from '../../chat/chat.ts';
import { formatSpan } from '../../chat/words.ts';
import { make, setText } from '../../shared/dom.ts';
import { EmojiPicker } from './emoji.ts';

/** From so much of the longest message on it's said how much is left. */
const NEARLY_FULL = 0.8;
const MAX_NAME = 32;
const NEWS_MS = 8_000;

/** Where one writes: the text, the name, and why it doesn't go. */
export class Composer {
  readonly element = make('form', 'chat-form');
  readonly #chat: Chat;
  readonly #field = make('textarea', 'chat-field');
  readonly #send = make('button', 'button primary chat-send', 'Send');
  readonly #hint = make('span', 'hint chat-hint');
  readonly #news = make('p', 'chat-news');
  readonly #nameButton = make('button', 'text-button chat-as');
  readonly #nameField = make('input', 'chat-name-field');
  #newsTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(chat: Chat) {
    this.#chat = chat;
    const emoji = make('button', 'chat-icon', '☺');
    emoji.type = 'button';
    emoji.title = 'Emoji';
    emoji.setAttribute('aria-label', 'Emoji');
    const picker = new EmojiPicker(emoji, (picked) => {
      this.#insert(picked);
    });
    this.#dress();
    this.element.append(
      this.#news,
      picker.element,
      make('div', 'chat-row', make('div', 'chat-box', this.#field, emoji), this.#send),
      make('div', 'chat-foot', this.#nameButton, this.#nameField, this.#hint),
    );
    this.#listen(picker);
  }

  /** Says for a while why something wasn't done, or what was. */
  tell(text: string): void {
    setText(this.#news, text);
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => {
      setText(this.#news, '');
    }, NEWS_MS);
  }

  /** To be called again each second while something runs out. */
  refresh(): void {
    const { room, state, slowMs } = this.#chat;
    const length = Array.from(this.#field.value.trim()).length;
    const left = room.rules.maxLength - length;
    const mayWrite = state.name !== 'ready' || room.rights.write;
    this.#field.disabled = room.self === null || !mayWrite;
    this.#send.disabled = this.#field.disabled || length === 0 || left < 0 || slowMs > 0;
    this.#field.placeholder = mayWrite ? 'Say something' : 'You can’t write now';
    setText(this.#nameButton, room.self === null ? '' : `as ${room.self.name}`);
    this.#nameButton.disabled = state.name !== 'ready';
    setText(this.#hint, this.#hintOf(left, slowMs));
    this.#hint.classList.toggle('bad', left < 0);
  }

  #hintOf(left: number, slowMs: number): string {
    const { room, state } = this.#chat;
    if (state.name === 'ready' && !room.rights.write) return mutedText(room.muted);
    if (left < 0) return `${-left} too many`;
    if (slowMs > 0) return `Next in ${Math.ceil(slowMs / 1000)} s`;
    return left < room.rules.maxLength * (1 - NEARLY_FULL) ? `${left} left` : '';
  }

  #dress(): void {
    this.#field.rows = 1;
    this.#field.setAttribute('aria-label', 'Message');
    this.#field.setAttribute('enterkeyhint', 'send');
    this.#field.autocomplete = 'off';
    this.#send.type = 'submit';
    this.#news.setAttribute('role', 'alert');
    this.#nameButton.type = 'button';
    this.#nameButton.title = 'Change your name';
    this.#nameField.hidden = true;
    this.#nameField.maxLength = MAX_NAME;
    this.#nameField.setAttribute('autocomplete', 'nickname');
    this.#nameField.setAttribute('aria-label', 'Your name');
  }

  #listen(picker: EmojiPicker): void {
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener('keydown', (event) => {
      // What an input method is given isn't a message yet.
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      picker.close();
      this.#submit();
    });
    this.#field.addEventListener('input', () => {
      this.refresh();
    });
    this.#nameButton.addEventListener('click', () => {
      this.#editName();
    });
    this.#nameField.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        this.#takeName();
      } else if (event.key === 'Escape') this.#endName();
    });
    this.#nameField.addEventListener('blur', () => {
      if (!this.#nameField.hidden) this.#takeName();
    });
  }

  #submit(): void {
    if (this.#send.disabled) return;
    if (this.#chat.send(this.#field.value.trim())) this.#field.value = '';
    else this.tell('Too much waits to be sent. Is the network down?');
    this.refresh();
  }

  #insert(emoji: string): void {
    const { selectionStart, selectionEnd } = this.#field;
    this.#field.setRangeText(emoji, selectionStart, selectionEnd, 'end');
    this.refresh();
  }

  #editName(): void {
    this.#nameField.value = this.#chat.name;
    this.#nameField.hidden = false;
    this.#nameButton.hidden = true;
    this.#nameField.select();
    this.#nameField.focus();
  }

  #takeName(): void {
    const name = this.#nameField.value.trim();
    if (name !== '' && name !== this.#chat.name) this.#chat.rename(name);
    this.#endName();
  }

  #endName(): void {
    const hadFocus = document.activeElement === this.#nameField;
    this.#nameField.hidden = true;
    this.#nameButton.hidden = false;
    if (hadFocus) this.#field.focus();
    this.refresh();
  }
}

function mutedText(muted: Chat['room']['muted']): string {
  if (muted === null) return 'You may read here, but not write.';
  const why = muted.reason === '' ? '' : `: ${muted.reason}`;
  if (muted.until === null) return `You are banned from this chat${why}`;
  const seconds = Math.max(1, Math.ceil((muted.until - Date.now()) / 1000));
  return `You can write again in ${formatSpan(seconds)}${why}`;
}
