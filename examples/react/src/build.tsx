import { useStream } from 'turnout-react';

interface Step {
  readonly step: number;
}

/** The steps of a build, as they happen. */
export function Build({ id }: { id: string }) {
  const { events, isLoading, mode, error } = useStream<Step | null>('build-events', id);
  if (isLoading) return <p role="status">{error ? `Nothing is here yet: ${error.message}` : 'Loading…'}</p>;
  return (
    <main>
      <p role="status">
        {mode === 'live' ? 'Live' : mode === 'degraded' ? 'Live updates are temporarily slower' : `It is ${mode}`}
      </p>
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
