'use client';

export type { ProviderOptions, StrategyState } from './followed.js';
export { type StreamState, useStrategy, useStream } from './hooks.js';
export { TurnoutProvider, type TurnoutProviderProps } from './provider.js';
