// What runs in the browser. It notes when an event was rendered, and when the mode became another.

import { createRoot, hydrateRoot } from 'react-dom/client';
import { App } from './app.jsx';

const root = document.getElementById('root');
const { props, hydrates } = JSON.parse(document.getElementById('given').textContent);
const now = () => performance.timeOrigin + performance.now();

window.rendered = [];
window.modes = [];
const seen = new Set();
new MutationObserver(() => {
  for (const { textContent: id } of document.querySelectorAll('li')) {
    if (!seen.has(id)) window.rendered.push([id, now()]);
    seen.add(id);
  }
  const mode = document.getElementById('mode')?.textContent;
  if (mode && window.modes.at(-1)?.[0] !== mode) window.modes.push([mode, now()]);
}).observe(root, { childList: true, subtree: true, characterData: true });

const app = <App {...props} />;
const shown = hydrates ? hydrateRoot(root, app) : createRoot(root);
if (!hydrates) shown.render(app);
window.leave = () => shown.unmount();
