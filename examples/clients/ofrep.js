import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

/** Tells the strategy of a user now, and whenever it changes. `baseUrl` has no slash at its end. */
export async function followStrategy(baseUrl, session, user, onChange) {
  const headers = [['Authorization', `Bearer ${session}`]];
  const provider = new OFREPWebProvider({ baseUrl, headers, cacheMode: 'network-first' });
  await OpenFeature.setProviderAndWait(provider, { targetingKey: user });
  const client = OpenFeature.getClient();
  const tell = () => onChange(client.getStringValue('build-events', 'polling'));
  client.addHandler(ProviderEvents.ConfigurationChanged, tell);
  tell();
}
