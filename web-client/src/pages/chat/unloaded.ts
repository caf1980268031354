import { byId, make } from '../../shared/dom.ts';

/** The chat's code could not be had: the network was gone, or the node has other pages by now. */
export function showUnloaded(): void {
  const text = 'The chat couldn’t be loaded. Load the page again.';
  byId('chat', HTMLElement).replaceChildren(make('p', 'chat-status', text));
}
