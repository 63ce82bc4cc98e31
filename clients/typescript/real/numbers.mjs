// The client in numbers: what a real browser shows of the real program, how long a feed is silent, how many answers a user takes, and
// what is left after a stop. `npm run numbers` writes docs/results/client.json; `--short` runs each a little, and writes nothing.

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, getPriority, loadavg } from 'node:os';
import { leftAfterStop, publishToRendered, stopToPolling } from './numbers/browser.mjs';
import { fiveTabs, mostInAMinute } from './numbers/fake_time.mjs';
import { silence } from './numbers/silence.mjs';

const short = process.argv.includes('--short');
/** `--only NAME`: the other results stay. */
const only = process.argv[process.argv.indexOf('--only') + 1 || process.argv.length];
const RESULTS = new URL('../../../docs/results/client.json', import.meta.url);

const ends = [];
const after = (end) => ends.unshift(end);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const machine = {
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  node: process.version,
  priority: getPriority(),
  loadBefore: loadavg(),
};
const steps = {
  publishToRenderedMs: () => publishToRendered(after, short ? 20 : 300),
  stopToPollingMs: () => stopToPolling(after, short ? 3 : 60),
  leftAfterStop: () => leftAfterStop(after),
  silenceMs: () => silence(after, short ? 6 : 70),
  fiveTabs: () => fiveTabs(short ? 2 : 10),
  mostAnswersInAMinute: () => mostInAMinute(short ? 2 : 10),
};
const before = JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '{}'));
const results = only ? before : { commit, date: new Date().toISOString().slice(0, 10), machine };
try {
  for (const [name, measure] of Object.entries(steps)) {
    if (only && only !== name) continue;
    results[name] = await measure();
    console.log(name, JSON.stringify(results[name], null, 2));
    for (const end of ends.splice(0)) await end();
  }
} finally {
  for (const end of ends.splice(0)) await end();
}
results.machine.loadAfter = loadavg();

// Switches and faults against the real program take longer, and are run by hand: their lines are kept.
const { TURNOUT_RESULTS: lines } = process.env;
results.switchesAndFaults = lines
  ? (await readFile(lines, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .sort((a, b) => a.seed - b.seed)
  : before.switchesAndFaults;

const bars = [
  ['publish to rendered, realtime, p99', results.publishToRenderedMs.realtime.p99, 100],
  [
    'publish to rendered, active polls, p99; a wait is up to 5 % longer',
    results.publishToRenderedMs['polling, active, interval 2000 ms'].p99,
    2300,
  ],
  ['stop to stream closed, p99', results.stopToPollingMs.streamClosed.p99, 250],
  ['stop to mode polling, p99', results.stopToPollingMs.modePolling.p99, 250],
  ['stop to first poll, most', results.stopToPollingMs.firstPoll.max, 250],
  ['the first event by polls, published with a stop, p99', results.stopToPollingMs.eventAcrossTheStop.p99, 1000],
  ['the first event by polls, published after a stop, p99', results.stopToPollingMs.eventAfterTheStop.p99, 1000],
  ['the first event on the stream once it is live, most', results.stopToPollingMs.firstEventLive.max, 1000],
  ...Object.entries(results.silenceMs).map(([name, { longestMs, barMs }]) => [`silence, ${name}`, longestMs, barMs]),
  ...Object.entries(results.mostAnswersInAMinute).map(([name, { most }]) => [`answers in a minute, ${name}`, most, 60]),
  ['refused in ten minutes of five tabs', results.fiveTabs.refused, 3],
  ['longest gap of five tabs', results.fiveTabs.longestGapMs, 15_000],
  ...Object.entries(results.leftAfterStop).map(([name, { stopped }]) => [
    `left after a stop, ${name}`,
    stopped.timers + stopped.listeners + stopped.requests,
    0,
  ]),
];
results.missed = bars.filter(([, value, bar]) => !(value <= bar)).map(([name, value, bar]) => ({ name, value, bar }));
for (const [name, value, bar] of bars) console.log(value <= bar ? 'good  ' : 'MISSED', name, value, 'of', bar);
if (!short) await writeFile(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
process.exit(results.missed.length > 0 ? 1 : 0);
