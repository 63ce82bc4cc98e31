// Turnout as an application with pages on another origin runs it: with the keys of its session tokens, and a server key.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';

import { serve as start } from '../support/turnout.mjs';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const base64 = (value) => Buffer.from(value).toString('base64url');

export const SERVER_KEY = 'a-server-key';

/** A session token of the application. */
export function token(claims) {
  const now = Math.floor(Date.now() / 1000);
  const said = { iss: 'https://issuer.example.com/', aud: 'turnout', exp: now + 3600, ...claims };
  const message = `${base64(JSON.stringify({ alg: 'EdDSA', typ: 'JWT' }))}.${base64(JSON.stringify(said))}`;
  return `${message}.${sign(null, Buffer.from(message), privateKey).toString('base64url')}`;
}

/** Turnout, open to pages of `origin`, until the test ends. */
export async function serve(t, origin, files, settings = {}) {
  const server = await start(files, {
    settings: {
      TURNOUT_CORS_ORIGINS: origin,
      TURNOUT_SESSION_KEYS: 'keys.pem',
      TURNOUT_SESSION_ALGORITHM: 'EdDSA',
      TURNOUT_SESSION_ISSUER: 'https://issuer.example.com/',
      TURNOUT_SESSION_AUDIENCE: 'turnout',
      TURNOUT_SERVER_KEYS_FILE: 'servers',
      ...settings,
    },
    beside: {
      'keys.pem': publicKey.export({ type: 'spki', format: 'pem' }),
      servers: `page ${createHash('sha256').update(SERVER_KEY).digest('hex')}\n`,
    },
  });
  t.after(() => server.stop());
  return server;
}
