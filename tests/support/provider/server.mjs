// An OpenID provider that is not ours: npm's oidc-provider with its own login and consent pages.
// usage: node server.mjs, with PROVIDER (JSON: port, jwks, resource, secret) in the environment.
import { Provider } from 'oidc-provider';

const { port, jwks, resource, secret } = JSON.parse(process.env.PROVIDER);
const issuer = `http://localhost:${port}`;
const client = (client_id, more) => ({
  client_id,
  client_secret: secret,
  redirect_uris: ['https://elsewhere.example/callback'],
  grant_types: ['authorization_code', 'client_credentials'],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client('jwt-application'),
    client('opaque-application'),
    client('paraph-rssp', { redirect_uris: [], response_types: [], grant_types: [] }),
  ],
  jwks,
  scopes: ['openid', 'service', 'credential'],
  cookies: { keys: [secret] },
  ttl: { AccessToken: 300, Interaction: 600, Grant: 600, Session: 600, IdToken: 300 },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, indicator, { clientId }) => ({
        scope: 'service credential',
        audience: indicator,
        accessTokenTTL: 300,
        accessTokenFormat: clientId.startsWith('opaque') ? 'opaque' : 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log(`ready ${resource}`));
