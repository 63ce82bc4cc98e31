// The page of `turnout demo`: twenty clients of one stream, what they are told, and when each event reaches them. Nothing is shown that
// was not measured here.

import { createTurnoutClient, type Mode } from 'turnout-client';
import { type Arrival, drawChart } from './chart.js';
import { clientWord } from './count.js';
import { type Hint, showHints } from './hints.js';
import { Moves } from './moves.js';
import { sessionOf } from './session.js';

/** What `turnout demo` says of itself. */
interface Setup {
  readonly flag: string;
  readonly stream: string;
  readonly clients: number;
  /** The same server at several ports: a browser opens six connections to each. */
  readonly origins: readonly string[];
  readonly commands: readonly Hint[];
}

interface Step {
  readonly build: number;
  readonly step: number;
  readonly of: number;
}

/** For how long an arrival is shown. */
const WINDOW_MS = 60_000;
const MODES: Readonly<Record<Mode, string>> = {
  idle: 'starting',
  polling: 'polling',
  connecting: 'connecting',
  live: 'realtime',
  degraded: 'degraded',
  disabled: 'disabled',
  unauthenticated: 'signed out',
  ended: 'ended',
  stopped: 'stopped',
};

const at = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const setup: Setup = await (await fetch('/setup.json')).json();
const modes: Mode[] = [];
/** Clients whose last request failed. */
const failing = new Set<number>();
let arrivals: Arrival[] = [];
const moves = new Moves(at('moves'), at('summary'), (mode) => MODES[mode]);

for (let number = 1; number <= setup.clients; number += 1) follow(number);
showHints(at('hints'), setup.commands);
setInterval(draw, 500);

function follow(number: number): void {
  const card = document.createElement('li');
  const name = part('span', 'name', `Client ${number}`);
  const mode = part('span', 'mode', MODES.idle);
  const top = part('div', 'top', '');
  top.append(name, mode);
  const event = part('div', 'event', 'no event yet');
  const took = part('div', 'took', '–');
  card.append(top, event, took);
  at('clients').append(card);

  const session = sessionOf(number);
  const client = createTurnoutClient<Step>({
    baseUrl: setup.origins[(number - 1) % setup.origins.length] as string,
    flag: setup.flag,
    stream: setup.stream,
    initialCursor: 'now',
    auth: session.token,
    // You look at a terminal while it moves.
    hidden: 'run',
  });
  const showMode = () => {
    const { mode: now, error } = client.getSnapshot();
    modes[number - 1] = now;
    if (error) failing.add(number);
    else failing.delete(number);
    card.dataset.mode = now;
    mode.textContent = MODES[now];
  };
  client.subscribe(showMode);
  client.on('switch', ({ from, to, reason }) => {
    moves.tell(number, from, to, reason);
    if (to === 'unauthenticated') void session.renew().then(() => client.refresh());
  });
  client.on('events', (events) => {
    const now = Date.now();
    const { mode: by } = client.getSnapshot();
    const newest = events[events.length - 1];
    if (!newest) return;
    event.textContent = `build ${newest.data.build}, step ${newest.data.step} of ${newest.data.of}`;
    // What waited longest is what a person feels.
    const ms = Math.max(0, now - Math.min(...events.map((one) => Date.parse(one.at))));
    took.textContent = `after ${time(ms)}`;
    arrivals.push({ at: now, ms, isLive: by === 'live' });
  });
  client.start();
  showMode();
}

function draw(): void {
  const now = Date.now();
  arrivals = arrivals.filter((arrival) => now - arrival.at < WINDOW_MS);
  const count = (track: string, is: (mode: Mode) => boolean) => {
    const number = modes.filter(is).length;
    at(`${track}-count`).textContent = String(number);
    at(`${track}-clients`).textContent = clientWord(number);
  };
  const isPolling = (mode: Mode) => mode === 'polling' || mode === 'degraded';
  count('live', (mode) => mode === 'live');
  count('polling', isPolling);
  count('other', (mode) => mode !== 'live' && !isPolling(mode));
  for (const [id, isLive] of [
    ['live-latency', true],
    ['polling-latency', false],
  ] as const) {
    const known = arrivals.filter((arrival) => arrival.isLive === isLive).map((arrival) => arrival.ms);
    at(id).textContent = known.length > 0 ? time(median(known)) : '–';
  }
  // A demo that ended leaves its page behind.
  at('gone').hidden = failing.size < setup.clients;
  drawChart(at('chart') as unknown as SVGSVGElement, at('scale'), arrivals, now, WINDOW_MS);
}

function part(tag: string, className: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] as number;
}

function time(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
