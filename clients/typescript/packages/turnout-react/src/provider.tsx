import { createContext, type ReactElement, type ReactNode, useState } from 'react';
import { Followed, type ProviderOptions } from './followed.js';

const MOST_KEPT = 32;

export interface TurnoutProviderProps {
  readonly options: ProviderOptions;
  readonly children?: ReactNode;
}

/** Hands out what is followed: one client for all hooks of a stream. */
export type Follow = (flag: string, stream: string | null) => Followed;

export const FollowContext = createContext<Follow | null>(null);

/** Owns the clients of the hooks below it. The options are those of its first render with an `identityKey`. */
export function TurnoutProvider({ options, children }: TurnoutProviderProps): ReactElement {
  return (
    <Owner key={options.identityKey} options={options}>
      {children}
    </Owner>
  );
}

function Owner({ options, children }: TurnoutProviderProps): ReactElement {
  const [follow] = useState<Follow>(() => {
    const owned = new Map<string, Followed>();
    return (flag: string, stream: string | null) => {
      const key = JSON.stringify([flag, stream]);
      const found = owned.get(key) ?? new Followed(options, flag, stream);
      owned.set(key, found);
      // For a user who returns to them, some are kept that no hook shows.
      for (const [oldest, { isLeft }] of owned)
        if (isLeft && oldest !== key && owned.size > MOST_KEPT) owned.delete(oldest);
      return found;
    };
  });
  return <FollowContext.Provider value={follow}>{children}</FollowContext.Provider>;
}
