import type { TurnoutClient } from 'turnout-client';

/** Tells a developer's console which transport is used, and why; and what failed, once for each failure of another kind. */
export function notice(client: TurnoutClient, flag: string, stream: string | null): void {
  let last = '';
  let failed = '';
  client.subscribe(() => {
    const { mode, reason, error } = client.getSnapshot();
    // Before the server answered, or could not be asked, there is nothing to say.
    if (reason !== 'asking' && last !== (last = `${mode} ${reason}`))
      console.info('turnout:', flag, stream, mode, reason);
    if (failed !== (failed = error?.code ?? '') && error) console.info('turnout:', flag, stream, error.message);
  });
}
