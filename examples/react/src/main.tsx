import { createRoot } from 'react-dom/client';
import { TurnoutProvider } from 'turnout-react';
import { Build } from './build.js';
import { session } from './session.js';

// `identityKey`: another user begins anew.
const options = { baseUrl: new URL('/turnout', location.href), auth: session, identityKey: 'u-1' };

createRoot(document.getElementById('root') as HTMLElement).render(
  <TurnoutProvider options={options}>
    <Build id="b-42" />
  </TurnoutProvider>,
);
