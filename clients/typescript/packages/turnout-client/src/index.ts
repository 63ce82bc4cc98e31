export { createTurnoutClient } from './client.js';
export { TurnoutError } from './error.js';
export type {
  Batch,
  ClientEvents,
  ClientOptions,
  Clock,
  Cursor,
  Mode,
  Snapshot,
  Strategy,
  StrategyDocument,
  StreamEvent,
  SwitchInfo,
  Transport,
  TransportContext,
  TurnoutClient,
} from './types.js';
