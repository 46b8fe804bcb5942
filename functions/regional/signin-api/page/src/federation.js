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

/** Whether the address is that of a return: it has something that only a return has. */
export function isReturn(location) {
  const query = new URLSearchParams(location.search);
  return ["state", "code", "error", "error_description"].some((name) => query.has(name));
}

/**
 * What the address says on return, and what this window kept for it; nothing where it is not the answer to what this
 * window asked. Anybody can make a link that looks like a return: nothing of it is looked at, or shown, before its state
 * is known to be the one that was drawn here. Each is good for once.
 */
export function returned(location, storage) {
  const query = new URLSearchParams(location.search);
  const kept = keptIn(storage);
  if (kept === null || query.getAll("state").length !== 1 || query.get("state") !== kept.state) return null;
  storage.removeItem(KEPT);
  return { query, verifier: kept.verifier };
}

function keptIn(storage) {
  try {
    const kept = JSON.parse(storage.getItem(KEPT) ?? "null");
    return typeof kept?.state === "string" && kept.state !== "" ? kept : null;
  } catch {
    return null;
  }
}

/** Changes the code of a return for tokens. */
export async function complete(discovery, { query, verifier }, location) {
  if (query.has("error")) throw new Refusal(refusalOf(query.get("error_description") ?? ""));
  if (!discovery.federation || !query.has("code")) throw new Refusal("organisation-refused");
  const answer = await send(discovery.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: discovery.federation.client_id,
      code: query.get("code"),
      redirect_uri: `${location.origin}/`,
      code_verifier: verifier,
    }),
  });
  const said = await read(answer);
  if (answer.status === 429) throw new Refusal("too-many-requests");
  if (answer.status >= 500) throw new Refusal("unavailable");
  if (!answer.ok || !said?.access_token) throw new Refusal(refusalOf(`${said?.error} ${said?.error_description}`));
  return { access: said.access_token, refresh: said.refresh_token };
}

/** Why the user pool did not let somebody in whom the organisation did. Nobody types a password here. */
function refusalOf(text) {
  const code = meaningOf(text) ?? "organisation-refused";
  return code === "wrong-password" ? "organisation-refused" : code;
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
