import { createRoot } from 'react-dom/client';
import { TurnoutProvider } from 'turnout-react';
import { Build } from './build.js';
import { sessionOfUser } from './session.js';

// Another user begins anew: with another `identityKey`, and a session of their own.
const options = { baseUrl: new URL('/turnout', location.href), ...sessionOfUser(), identityKey: 'u-1' };

createRoot(document.getElementById('root') as HTMLElement).render(
  <TurnoutProvider options={options}>
    <Build id="b-42" />
  </TurnoutProvider>,
);
