import { readAddress, type PageAddress } from '../shared/address.ts';
import { byId, setText } from '../shared/dom.ts';
import { StudioChatLink } from './studio-chat-link.ts';
import { RecordingStatus } from './studio-recording.ts';
import { Studio } from './studio-session.ts';
import { Settings } from './studio-settings.ts';
import { StudioView } from './studio-view.ts';

const TOKEN_KEY = 'spillway-publish-token:';

function start({ channel, token }: PageAddress): void {
  const view = new StudioView(channel);
  const tokenField = byId('token', HTMLInputElement);
  const key = TOKEN_KEY + channel;
  keepToken(tokenField, key, token);
  setText(byId('token-command', HTMLElement), `spillway token publish ${channel}`);
  let studio: Studio | null = null;
  const settings = new Settings((change) => void studio?.settingsChanged(change));
  const publishToken = (): string => tokenField.value.trim();
  const recording = new RecordingStatus(channel, publishToken);
  const chat = new StudioChatLink(channel, publishToken);
  tokenField.addEventListener('input', () => {
    chat.tokenChanged();
  });
  studio = new Studio({ channel, settings, view, recording, chat, token: publishToken });
  studio.listen();
  void settings.listDevices();
}

/** The token lives in this tab only, and leaves the address bar, where it would be seen and shared. */
function keepToken(field: HTMLInputElement, key: string, fromAddress: string): void {
  if (fromAddress !== '') {
    sessionStorage.setItem(key, fromAddress);
    history.replaceState(null, '', location.pathname);
  }
  field.value = sessionStorage.getItem(key) ?? '';
  field.addEventListener('input', () => {
    sessionStorage.setItem(key, field.value.trim());
  });
  const show = byId('show-token', HTMLButtonElement);
  show.addEventListener('click', () => {
    const shown = field.type === 'text';
    field.type = shown ? 'password' : 'text';
    show.setAttribute('aria-pressed', String(!shown));
  });
}

const address = readAddress(new URL(location.href));
if (address === null) location.replace('/');
else start(address);
