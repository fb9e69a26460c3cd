// An OpenID provider that is not ours: npm's oidc-provider with its own login and consent pages.
// usage: node server.mjs, with PROVIDER (JSON: port, jwks, resource, secret, people, callback, gateway, signapp) in the environment.
import { Provider } from 'oidc-provider';

const { port, jwks, resource, secret, people, callback, gateway, signapp } = JSON.parse(process.env.PROVIDER);
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
    client('paraph-signapp', {
      redirect_uris: [`${signapp}/login/callback`],
      post_logout_redirect_uris: [`${signapp}/logged-out`],
      backchannel_logout_uri: `${signapp}/login/backchannel-logout`,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
    }),
    client('paraph-gateway', { redirect_uris: [`${signapp}/approval/callback`], grant_types: ['authorization_code'] }),
  ],
  jwks,
  scopes: ['openid', 'email', 'profile', 'service', 'credential'],
  cookies: { keys: [secret] },
  ttl: { AccessToken: 300, Interaction: 600, Grant: 600, Session: 600, IdToken: 300, RefreshToken: 600 },
  // How closely it looked at whoever logs in, and what it knows of them: their names, from the test.
  acrValues: ['looked-closely', 'barely-looked'],
  claims: { openid: ['sub', 'acr', 'auth_time'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name', 'birthdate', 'address', 'national_id'] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  // Where it has the logins too, names and addresses stand in the ID token, signapp renews its tokens, and a login's token
  // is for both services, an approval's for the signing service alone.
  conformIdTokenClaims: !gateway,
  // Its clients are on this machine, which it would not call otherwise.
  fetch: (url, { dispatcher: _guard, ...options }) => globalThis.fetch(url, options),
  issueRefreshToken: (_ctx, { clientId }) => clientId === 'paraph-signapp',
  formats: {
    customizers: {
      jwt: (_ctx, _token, parts) => {
        if (parts.payload.aud === gateway) parts.payload.aud = [gateway, resource];
      },
    },
  },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      defaultResource: (_ctx, _client, oneOf) => (oneOf?.includes(gateway) ? gateway : oneOf),
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
