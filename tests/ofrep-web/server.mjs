// A turnout server, and what its clients exchanged with it.

import { serve as start } from '../support/turnout.mjs';

export { until } from '../support/turnout.mjs';

// The provider takes `globalThis.fetch` when it is made; the recorder stands there before that and changes nothing.
const exchanges = [];
const fetchUnchanged = globalThis.fetch;
globalThis.fetch = async (request, options) => {
  const response = await fetchUnchanged(request, options);
  exchanges.push({
    url: request.url,
    ifNoneMatch: request.headers.get('if-none-match'),
    status: response.status,
    etag: response.headers.get('etag'),
    body: await response.clone().text(),
  });
  return response;
};

/** Starts the server over a folder of its own holding `files` (name to YAML). */
export async function serve(files) {
  const server = await start(files);
  /** What was exchanged with this server, oldest first. */
  const exchanged = () => exchanges.filter((exchange) => exchange.url.startsWith(`${server.url}/`));
  return Object.assign(server, { exchanges: exchanged });
}
