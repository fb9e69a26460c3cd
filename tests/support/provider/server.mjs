// An OpenID provider that is not ours: npm's oidc-provider with its own login and consent pages.
// usage: node server.mjs, with PROVIDER (JSON: port, jwks, resource, secret) in the environment.
import { Provider } from 'oidc-provider';

const { port, jwks, resource, secret, people, callback } = JSON.parse(process.env.PROVIDER);
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
    client('identity', { redirect_uris: [callback], grant_types: ['authorization_code'] }),
    client('paraph-rssp', { redirect_uris: [], response_types: [], grant_types: [] }),
  ],
  jwks,
  scopes: ['openid', 'profile', 'service', 'credential'],
  cookies: { keys: [secret] },
  ttl: { AccessToken: 300, Interaction: 600, Grant: 600, Session: 600, IdToken: 300 },
  // How closely it looked at whoever logs in, and what it knows of them: their names, from the test.
  acrValues: ['looked-closely', 'barely-looked'],
  claims: { openid: ['sub', 'acr', 'auth_time'], profile: ['given_name', 'family_name', 'birthdate', 'address', 'national_id'] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
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
// Its own pages know no acr: whoever is sent here with one is logged in with it.
provider.use(async (ctx, next) => {
  const { login, acr } = ctx.query;
  if (!ctx.path.startsWith('/interaction/') || !login) return next();
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: login, acr } });
});
provider.listen(port, '127.0.0.1', () => console.log(`ready ${resource}`));
