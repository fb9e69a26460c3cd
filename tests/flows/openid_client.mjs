// Drives npm's openid-client for test_third_party_clients.py: one JSON object on standard input, one on standard output.
import { readFileSync } from "node:fs";
import * as oidc from "openid-client";

const asked = JSON.parse(readFileSync(0, "utf8"));
const insecure = { execute: [oidc.allowInsecureRequests] };
const authentication = asked.authentication === "post" ? oidc.ClientSecretPost(asked.secret) : oidc.ClientSecretBasic(asked.secret);
const config = await oidc.discovery(new URL(asked.issuer), asked.clientId, asked.secret, authentication, {
  ...insecure,
  algorithm: asked.algorithm ?? "oidc",
});

async function proof() {
  if (!asked.dpop) return {};
  const { subtle } = globalThis.crypto;
  const kinds = { name: "ECDSA", namedCurve: "P-256" };
  const keyPair = {
    privateKey: await subtle.importKey("jwk", asked.dpop.privateKey, kinds, true, ["sign"]),
    publicKey: await subtle.importKey("jwk", asked.dpop.publicKey, kinds, true, ["verify"]),
  };
  return { DPoP: oidc.getDPoPHandle(config, keyPair) };
}

async function newKeyPair() {
  const pair = await oidc.randomDPoPKeyPair("ES256", { extractable: true });
  const { subtle } = globalThis.crypto;
  return {
    privateKey: await subtle.exportKey("jwk", pair.privateKey),
    publicKey: await subtle.exportKey("jwk", pair.publicKey),
  };
}

const steps = {
  // The authorization request, pushed; what the callback will be compared with.
  async begin() {
    const verifier = oidc.randomPKCECodeVerifier();
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const parameters = {
      ...asked.parameters,
      state,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    };
    if (asked.parameters.scope?.includes("openid")) parameters.nonce = nonce;
    const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters, await proof());
    return { url: url.href, verifier, state, nonce: parameters.nonce };
  },
  // The callback's address for tokens; openid-client verifies state, iss, nonce and the ID token.
  async finish() {
    const checks = { pkceCodeVerifier: asked.verifier, expectedState: asked.state };
    if (asked.nonce) Object.assign(checks, { expectedNonce: asked.nonce, idTokenExpected: true });
    const tokens = await oidc.authorizationCodeGrant(config, new URL(asked.callback), checks, undefined, await proof());
    return { tokens, claims: tokens.claims() ?? null };
  },
  async refresh() {
    return { tokens: await oidc.refreshTokenGrant(config, asked.refreshToken, undefined, await proof()) };
  },
  async userinfo() {
    return { claims: await oidc.fetchUserInfo(config, asked.accessToken, asked.subject, await proof()) };
  },
  async revoke() {
    await oidc.tokenRevocation(config, asked.token);
    return {};
  },
  async call() {
    const headers = new Headers({ "Content-Type": "application/json" });
    const body = JSON.stringify(asked.body);
    const answer = await oidc.fetchProtectedResource(
      config, asked.accessToken, new URL(asked.url), "POST", body, headers, await proof(),
    );
    return { status: answer.status, body: await answer.json() };
  },
  async keys() {
    return newKeyPair();
  },
};

try {
  process.stdout.write(JSON.stringify(await steps[asked.step]()));
} catch (error) {
  process.stdout.write(JSON.stringify({ error: error.error ?? error.code ?? error.name, message: error.message }));
}
