// @vitest-environment jsdom
import { act, StrictMode } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { createFakeTurnout } from 'turnout-client/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TurnoutProvider, useStrategy, useStream } from '../src/index.js';

beforeEach(() => {
  vi.useFakeTimers();
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});
afterEach(() => void vi.useRealTimers());

const optionsOf = (server: ReturnType<typeof createFakeTurnout>, more = {}) => ({
  baseUrl: 'https://turnout.example',
  fetch: server.fetch,
  random: () => 0.5,
  ...more,
});
const advance = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function Steps({ stream = 'b-42' }: { stream?: string | null }) {
  const { events, mode, isLoading } = useStream<{ id: string }>('build', stream);
  return <p>{isLoading ? 'loading' : `${mode}:${events.map((event) => event.data.id).join(',')}`}</p>;
}

function Strategy() {
  return <p>{useStrategy('build').mode}</p>;
}

function mount() {
  const place = document.createElement('div');
  return { place, root: createRoot(place) };
}

test('outside of its provider a hook says so, by name', () => {
  const quiet = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect(() => renderToString(<Steps />)).toThrow('useStream is used outside of <TurnoutProvider>');
  expect(() => renderToString(<Strategy />)).toThrow('useStrategy is used outside of <TurnoutProvider>');
  quiet.mockRestore();
});

test('a hundred hooks in StrictMode share one client, and one stream', async () => {
  const server = createFakeTurnout();
  server.publish('a');
  server.decide({ strategy: 'realtime-v2' });
  const { place, root } = mount();
  const hooks = Array.from({ length: 100 }, (_, n) => `s${n}`).map((key) => <Steps key={key} />);
  await act(async () =>
    root.render(
      <StrictMode>
        <TurnoutProvider options={optionsOf(server)}>{hooks}</TurnoutProvider>
      </StrictMode>,
    ),
  );
  await advance(200);
  expect(place.firstChild?.textContent).toBe('live:a');
  server.publish('b');
  await advance(10);
  expect(place.lastChild?.textContent).toBe('live:a,b');
  expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(1);
  await act(async () => root.unmount());
  await advance(50);
  expect(server.open).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('another user in the same tab sees nothing of the last one', async () => {
  const server = createFakeTurnout();
  server.publish('a');
  const { place, root } = mount();
  const show = (identityKey: string) =>
    act(async () =>
      root.render(
        <TurnoutProvider options={optionsOf(server, { identityKey })}>
          <Steps />
        </TurnoutProvider>,
      ),
    );
  await show('u-1');
  await advance(100);
  expect(place.textContent).toBe('polling:a');
  server.fault = () => new Response('{}', { status: 503 });
  await show('u-2');
  expect(place.textContent).toBe('loading');
  server.fault = () => undefined;
  await advance(10_000);
  expect(place.textContent).toBe('polling:a');
  await act(async () => root.unmount());
});

test('a server render asks nothing, and hydrates without a warning', async () => {
  const server = createFakeTurnout();
  const app = (
    <TurnoutProvider options={optionsOf(server)}>
      <Steps />
    </TurnoutProvider>
  );
  const html = renderToString(app);
  expect(server.seen.length).toBe(0);
  const warned = vi.spyOn(console, 'error').mockImplementation(() => {});
  const place = document.createElement('div');
  place.innerHTML = html;
  const root = await act(async () => hydrateRoot(place, app));
  await advance(100);
  expect(warned).not.toHaveBeenCalled();
  expect(place.textContent).toBe('polling:');
  await act(async () => root.unmount());
  warned.mockRestore();
});

test('a hidden page asks nothing, and polls within a second of being seen', async () => {
  const server = createFakeTurnout();
  const { root } = mount();
  const look = async (state: string) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
    await act(async () => document.dispatchEvent(new Event('visibilitychange')));
  };
  await act(async () =>
    root.render(
      <TurnoutProvider options={optionsOf(server)}>
        <Steps />
      </TurnoutProvider>,
    ),
  );
  await advance(100);
  await look('hidden');
  const before = server.seen.length;
  await advance(600_000);
  expect(server.seen.length).toBe(before);
  await look('visible');
  await advance(1000);
  expect(server.seen.filter((one) => one.path.includes('/feeds/')).length).toBeGreaterThan(1);
  await act(async () => root.unmount());
});

test('in development, and only then, a console says which transport was chosen, and why', async () => {
  const said = vi.spyOn(console, 'info').mockImplementation(() => {});
  for (const [mode, count] of [
    ['production', 0],
    ['development', 1],
  ] as const) {
    vi.stubEnv('NODE_ENV', mode);
    const server = createFakeTurnout();
    const { root } = mount();
    await act(async () =>
      root.render(
        <TurnoutProvider options={optionsOf(server)}>
          <Steps />
        </TurnoutProvider>,
      ),
    );
    await advance(100);
    expect(said.mock.calls.length, mode).toBe(count);
    await act(async () => root.unmount());
  }
  // Not before the answer: until then nothing is known.
  expect(said.mock.calls).toEqual([['turnout:', 'build', 'b-42', 'polling', 'STATIC']]);
  said.mockRestore();
  vi.unstubAllEnvs();
});

test('without a stream nothing is asked', async () => {
  const server = createFakeTurnout();
  const { place, root } = mount();
  await act(async () =>
    root.render(
      <TurnoutProvider options={optionsOf(server)}>
        <Steps stream={null} />
      </TurnoutProvider>,
    ),
  );
  await advance(10_000);
  expect(place.textContent).toBe('idle:');
  expect(server.seen.length).toBe(0);
  await act(async () => root.unmount());
});

test('in development each change of the mode is logged, and elsewhere none', async () => {
  for (const [where, logged] of [
    ['development', true],
    ['production', false],
  ] as const) {
    vi.stubEnv('NODE_ENV', where);
    const told = vi.spyOn(console, 'info').mockImplementation(() => {});
    const { root } = mount();
    const options = optionsOf(createFakeTurnout());
    await act(async () => {
      root.render(
        <TurnoutProvider options={options}>
          <Steps />
        </TurnoutProvider>,
      );
    });
    await advance(100);
    const line = ['turnout:', 'build', 'b-42', 'polling'];
    expect(told.mock.calls.some((call) => line.every((word, n) => call[n] === word))).toBe(logged);
    act(() => root.unmount());
    told.mockRestore();
    vi.unstubAllEnvs();
  }
});

test('in development a console says what failed, once, and then what holds', async () => {
  vi.stubEnv('NODE_ENV', 'development');
  const told = vi.spyOn(console, 'info').mockImplementation(() => {});
  let session: string | undefined;
  const auth = () => {
    if (!session) throw new Error('sentinel');
    return session;
  };
  const { place, root } = mount();
  await act(async () =>
    root.render(
      <TurnoutProvider options={optionsOf(createFakeTurnout(), { auth })}>
        <Steps />
      </TurnoutProvider>,
    ),
  );
  await advance(30_000);
  expect(place.textContent).toBe('loading');
  session = 'a session';
  await advance(60_000);
  expect(place.textContent).toBe('polling:');
  expect(told.mock.calls.map((words) => words.slice(3).join(' '))).toEqual([
    'polling no-session',
    '`auth` gave no session; it is asked again',
    'polling STATIC',
  ]);
  await act(async () => root.unmount());
  told.mockRestore();
  vi.unstubAllEnvs();
});

test('of many streams that a user looked at, some are kept', async () => {
  const server = createFakeTurnout();
  server.publish('a');
  const { place, root } = mount();
  const options = optionsOf(server);
  const look = async (stream: string) => {
    await act(async () =>
      root.render(
        <TurnoutProvider options={options}>
          <Steps stream={stream} />
        </TurnoutProvider>,
      ),
    );
    await advance(100);
    expect(place.textContent).toBe('polling:a');
  };
  const firstPolls = () => server.seen.filter(({ url }) => url.includes('/feeds/') && !url.includes('cursor')).length;
  for (let n = 0; n < 100; n += 1) await look(`b-${n}`);
  expect(firstPolls()).toBe(100);
  await look('b-98');
  expect(firstPolls(), 'one that is kept goes on').toBe(100);
  await look('b-0');
  expect(firstPolls(), 'one that is not begins anew').toBe(101);
  await act(async () => root.unmount());
});
