'use client';

export type { ProviderOptions } from './followed.js';
export { type StrategyState, type StreamState, useStrategy, useStream } from './hooks.js';
export { TurnoutProvider, type TurnoutProviderProps } from './provider.js';
