import { createTurnoutClient } from 'turnout-client';

/** Follows a build in any page or in Node; the returned function ends it. */
export function followBuild(baseUrl: URL, build: string, session: () => Promise<string>, show: (text: string) => void) {
  const client = createTurnoutClient<{ step: number } | null>({ baseUrl, flag: 'build-events', stream: build, auth: session });
  client.on('events', (events) => {
    for (const { type, data } of events) show(`${type} ${data?.step ?? ''}`);
  });
  client.on('reset', () => show('from the start'));
  client.on('switch', ({ to }) => to === 'degraded' && show('Live updates are temporarily slower'));
  client.start();
  return () => client.stop();
}
