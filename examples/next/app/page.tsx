import { connection } from 'next/server';
import { Suspense } from 'react';
import { Build } from './build';
import { Turnout } from './turnout';
import { currentUser, strategyOf } from './turnout-server';

async function Live() {
  await connection(); // Each user has a strategy of their own: this part is made for each request.
  const user = await currentUser();
  const initialStrategy = await strategyOf('build-events', user);
  return (
    <Turnout user={user} {...(initialStrategy && { initialStrategy })}>
      <Build id="b-42" />
    </Turnout>
  );
}

export default function Page() {
  return (
    <Suspense fallback={<p>Loading…</p>}>
      <Live />
    </Suspense>
  );
}
