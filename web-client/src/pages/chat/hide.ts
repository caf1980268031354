import { byId, setText } from '../../shared/dom.ts';

const HIDDEN_KEY = 'spillway-chat-hidden';

/** Whether the viewer wants to see nothing but the picture. */
export function isChatHidden(): boolean {
  return localStorage.getItem(HIDDEN_KEY) !== null;
}

/** Who wants to see nothing but the picture has that, on this page and the next. */
export function letHide(onShown: () => void = () => undefined): void {
  const button = byId('chat-toggle', HTMLButtonElement);
  const show = (isHidden: boolean): void => {
    document.documentElement.dataset.chat = isHidden ? 'hidden' : 'shown';
    setText(button, isHidden ? 'Show chat' : 'Hide chat');
  };
  button.hidden = false;
  show(isChatHidden());
  button.addEventListener('click', () => {
    const isHidden = !isChatHidden();
    if (isHidden) localStorage.setItem(HIDDEN_KEY, '1');
    else localStorage.removeItem(HIDDEN_KEY);
    show(isHidden);
    if (!isHidden) onShown();
  });
}
