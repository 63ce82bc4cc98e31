'use client';
import { useStream } from 'turnout-react';

/** The steps of a build, as they happen. */
export function Build({ id }: { id: string }) {
  const { events, isLoading, mode, strategy, error } = useStream<{ step: number } | null>('build-events', id);
  return (
    <main>
      <p role="status">{mode === 'live' ? 'Live' : `It is ${mode}, and may use ${strategy}`}</p>
      {isLoading && <p>{error ? `Nothing is here yet: ${error.message}` : 'Loading…'}</p>}
      <ol>
        {events.map(({ id, type, data }) => (
          <li key={id}>
            {type} {data?.step}
          </li>
        ))}
      </ol>
    </main>
  );
}
