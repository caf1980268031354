const NAME_KEY = 'spillway-chat-name';
const IDENTITY_KEY = 'spillway-chat-identity:';

/** What is remembered of a chatter from one visit to the next. */
export interface Memory {
  name: string;
  identity: string;
}

type Shelf = Pick<Storage, 'getItem' | 'setItem'>;

/** Who one is in a channel's chat. Where a browser keeps nothing, it's remembered as long as the page is open. */
export class ChatMemory implements Memory {
  readonly #shelf: Shelf | null;
  readonly #identityKey: string;
  #name: string;
  #identity: string;

  constructor(channel: string, shelf: Shelf | null = browserShelf()) {
    this.#shelf = shelf;
    this.#identityKey = IDENTITY_KEY + channel;
    this.#name = this.#read(NAME_KEY);
    this.#identity = this.#read(this.#identityKey);
  }

  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    this.#name = name;
    this.#write(NAME_KEY, name);
  }

  get identity(): string {
    return this.#identity;
  }

  set identity(identity: string) {
    this.#identity = identity;
    this.#write(this.#identityKey, identity);
  }

  #read(key: string): string {
    try {
      return this.#shelf?.getItem(key) ?? '';
    } catch {
      return '';
    }
  }

  #write(key: string, value: string): void {
    try {
      this.#shelf?.setItem(key, value);
    } catch {
      // It's full or denied.
    }
  }
}

/** Even to name it is an error where it's denied. */
function browserShelf(): Shelf | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
