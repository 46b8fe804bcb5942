// Signing in with the identity provider of one's organisation: the authorization code flow with PKCE (RFC 7636).

import { Refusal, read, send } from "./answer.js";
import { meaningOf } from "./refusals.js";

const KEPT = "meridian:federation";
/** In the query of the workspace's own address: begin at once. */
const BEGIN = "organisation";

/** Whether this address can begin the flow: the region's own address is no place to return to. */
export function isOffered(discovery, location) {
  return Boolean(discovery.federation) && !new URLSearchParams(location.search).has("alias");
}

/** Whether somebody came here from the workspace's other address in order to begin. */
export function isToBegin(location) {
  return new URLSearchParams(location.search).has(BEGIN);
}

/** Leaves for the organisation's sign-in. */
export async function begin(discovery, location, storage) {
  const own = ownOrigin(discovery, location);
  if (own !== location.origin) {
    location.assign(`${own}/?${BEGIN}`);
    return;
  }
  const state = random();
  const verifier = random();
  storage.setItem(KEPT, JSON.stringify({ state, verifier }));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: discovery.federation.client_id,
    identity_provider: discovery.federation.identity_provider,
    redirect_uri: `${own}/`,
    scope: "openid email",
    state,
    code_challenge: await challengeOf(verifier),
    code_challenge_method: "S256",
  });
  location.assign(`${discovery.authorization_endpoint}?${query}`);
}

/** What the address says on return; nothing where nobody returns. */
export function returned(location) {
  const query = new URLSearchParams(location.search);
  return query.has("state") && (query.has("code") || query.has("error")) ? query : null;
}

/** Changes the code of a return for tokens. Each return is good for once. */
export async function complete(discovery, query, location, storage) {
  const kept = JSON.parse(storage.getItem(KEPT) ?? "null");
  storage.removeItem(KEPT);
  if (query.has("error")) throw new Refusal(meaningOf(query.get("error_description") ?? "") ?? "organisation-refused");
  if (!discovery.federation || kept === null || kept.state !== query.get("state")) {
    throw new Refusal("organisation-refused");
  }
  const answer = await send(discovery.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: discovery.federation.client_id,
      code: query.get("code"),
      redirect_uri: `${location.origin}/`,
      code_verifier: kept.verifier,
    }),
  });
  const said = await read(answer);
  if (!answer.ok || !said?.access_token) {
    throw new Refusal(meaningOf(`${said?.error} ${said?.error_description}`) ?? "organisation-refused");
  }
  return { access: said.access_token, refresh: said.refresh_token };
}

/** The address that the provider returns to has the random alias, whichever address the page was opened at. */
export function ownOrigin(discovery, { protocol, host, origin }) {
  const [, ...domain] = host.split(".");
  return domain.length === 0 ? origin : `${protocol}//${[discovery.alias, ...domain].join(".")}`;
}

async function challengeOf(verifier) {
  return base64Url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
}

function random() {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64Url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
