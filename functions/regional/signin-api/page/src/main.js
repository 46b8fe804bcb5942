// The sign-in page. It finds the workspace by the address that it was opened at, signs in at the identity provider of
// the region, and shows what the token says. Tokens are kept in memory only: who leaves the page is signed out of it.

import { claimsOf, managesAccount, shown } from "./claims.js";
import { discover, findWorkspaces } from "./discovery.js";
import * as federation from "./federation.js";
import { Identity } from "./identity.js";
import { Page } from "./page.js";
import { preferred } from "./texts.js";
import { usernameOf } from "./username.js";

/** The refusals of the discovery that have a view of their own. */
const VIEWS = ["unknown-address", "moved"];

const page = new Page(document);
let discovery = null;
let identity = null;
let challenge = null;
let username = null;
/** The tokens: `access`, `refresh`. */
let session = null;
let expiry = null;

async function start() {
  page.speak(preferred(navigator.languages));
  page.whenSpoken(renderClaims);
  listen();
  page.show("loading");
  try {
    discovery = await discover(location);
  } catch ({ code }) {
    page.show(VIEWS.includes(code) ? code : "out-of-reach");
    if (!VIEWS.includes(code)) page.say(`say-${code}`);
    return;
  }
  page.speak(discovery.language);
  if (discovery.status === "suspended") {
    page.show("tenant-suspended");
    return;
  }
  identity = new Identity(discovery);
  renderWorkspace();
  await comeBack();
}

/** Goes on where somebody left for the organisation's sign-in, or begins. */
async function comeBack() {
  const isReturn = federation.isReturn(location);
  const answer = isReturn ? federation.returned(location, sessionStorage) : null;
  const begins = !isReturn && federation.isToBegin(location) && federation.isOffered(discovery, location);
  if (isReturn || begins) history.replaceState(null, "", withoutReturn(location));
  if (begins) {
    await federation.begin(discovery, location, sessionStorage);
    return;
  }
  if (answer === null) {
    page.show("sign-in");
    return;
  }
  try {
    enter(await federation.complete(discovery, answer, location));
  } catch ({ code }) {
    page.show("sign-in");
    page.say(`say-${code}`);
  }
}

/** The address of this page, with nothing but the label that names the workspace at the region's own address. */
function withoutReturn({ pathname, search }) {
  const alias = new URLSearchParams(search).get("alias");
  return alias === null ? pathname : `${pathname}?${new URLSearchParams({ alias })}`;
}

function listen() {
  page.onSubmit("sign-in-form", signIn);
  page.onSubmit("mfa-form", async ({ code }) => proceed(await identity.answer(challenge, code.trim())));
  page.onSubmit("new-password-form", async ({ password }) => proceed(await identity.answer(challenge, password)));
  page.onSubmit("forgot-form", async ({ email }) => {
    username = usernameOf(discovery.alias, email);
    await identity.forgot(username);
    page.show("reset");
  });
  page.onSubmit("reset-form", async ({ code, password }) => {
    await identity.reset(username, code.trim(), password);
    leave("say-password-set");
  });
  page.onSubmit("find-form", async ({ email }) => {
    await findWorkspaces(email.trim(), page.language);
    page.show("found");
  });
  page.onSubmit("authenticator-form", async ({ code }) => {
    await identity.useAuthenticator(session.access, code.trim());
    page.show("session");
    page.say("say-authenticator-on", "done");
  });
  page.onClick("organisation", () => federation.begin(discovery, location, sessionStorage));
  page.onClick("forgot", () => {
    page.element("forgot-email").value = page.element("email").value;
    page.show("forgot-password");
  });
  for (const id of ["find", "find-from-unknown"]) page.onClick(id, () => page.show("find-workspaces"));
  for (const button of document.querySelectorAll("[data-back]")) {
    button.addEventListener("click", () => leave(null));
  }
  page.onClick("again", () => location.reload());
  page.onClick("set-up", setUpAuthenticator);
  page.onClick("cancel-set-up", () => page.show("session"));
  page.onClick("sign-out", signOut);
  page.onClick("sign-out-everywhere", async () => {
    await identity.signOutEverywhere(session.access);
    leave("say-signed-out-everywhere");
  });
}

async function signIn({ email, password }) {
  try {
    proceed(await identity.signIn(usernameOf(discovery.alias, email), password));
  } catch (error) {
    if (error.code === "reset-required") page.show("forgot-password");
    else page.element("password").select();
    throw error;
  }
}

function proceed(outcome) {
  if (outcome.session) {
    enter(outcome.session);
    return;
  }
  challenge = outcome.challenge;
  page.show(challenge.name === "NEW_PASSWORD_REQUIRED" ? "new-password" : "mfa");
}

function enter(tokens) {
  session = tokens;
  challenge = null;
  const claims = claimsOf(tokens.access);
  // By the token alone: the clock of this machine may be wrong.
  expiry = setTimeout(() => leave("say-expired"), (claims.exp - claims.iat) * 1000);
  for (const id of ["set-up", "sign-out-everywhere"]) page.element(id).hidden = !managesAccount(claims);
  renderClaims();
  clearForms();
  page.show("session");
}

/** Forgets the session and everything that was typed. */
function leave(code) {
  clearTimeout(expiry);
  session = null;
  challenge = null;
  clearForms();
  page.element("claims").replaceChildren();
  page.element("secret").textContent = "";
  page.show(discovery === null ? "unknown-address" : "sign-in");
  page.say(code, "done");
}

async function signOut() {
  const { access, refresh } = session;
  leave("say-signed-out");
  // Nothing is left in this browser, whether the region hears of it or not.
  await identity.revoke(claimsOf(access).client_id, refresh).catch(() => {});
}

async function setUpAuthenticator() {
  const secret = await identity.authenticatorSecret(session.access);
  const label = encodeURIComponent(`${location.hostname}:${discovery.alias}`);
  const query = new URLSearchParams({ secret, issuer: location.hostname });
  page.element("secret").textContent = secret.match(/.{1,4}/g).join(" ");
  page.element("open-app").href = `otpauth://totp/${label}?${query}`;
  page.show("authenticator");
}

function clearForms() {
  for (const form of document.forms) form.reset();
}

function renderWorkspace() {
  page.element("alias").textContent = discovery.alias;
  page.element("workspace").hidden = false;
  page.element("federation").hidden = !federation.isOffered(discovery, location);
}

function renderClaims() {
  if (session === null) return;
  const rows = shown(claimsOf(session.access), page.language).map(([name, value]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = page.text(name);
    description.textContent = value;
    description.dataset.claim = name;
    row.append(term, description);
    return row;
  });
  page.element("claims").replaceChildren(...rows);
}

start();
