// The application of the tests in a real browser: it shows the events of one stream, and the user may sign in as another.

import { StrictMode, useState } from 'react';
import { TurnoutProvider, useStream } from 'turnout-react';

export function App({ options, first }) {
  const [user, signIn] = useState(first);
  if (typeof window !== 'undefined') window.signIn = signIn;
  return (
    <StrictMode>
      <TurnoutProvider options={{ ...options, identityKey: user.name, auth: () => user.session }}>
        <Steps />
      </TurnoutProvider>
    </StrictMode>
  );
}

function Steps() {
  const { events, mode, strategy } = useStream('build', 'b-1');
  return (
    <>
      <p id="mode">{mode}</p>
      <p id="strategy">{strategy}</p>
      <ol>
        {events.map(({ id }) => (
          <li key={id}>{id}</li>
        ))}
      </ol>
    </>
  );
}
