import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";
import { claimsOf, managesAccount, shown } from "./src/claims.js";
import { complete, isReturn, ownOrigin, returned } from "./src/federation.js";
import { Identity } from "./src/identity.js";
import { codeOf } from "./src/refusals.js";
import { LANGUAGES, TEXTS, preferred } from "./src/texts.js";
import { passwordOf, pastedCode } from "./src/typed.js";
import { keyOf, usernameOf } from "./src/username.js";

test("a username is the one that the region computes", () => {
  const wanted = "5b62e069-cb2b-5d42-a9bb-cad80b704827";
  assert.equal(usernameOf("23456789abcd", "ada@engines.example"), wanted);
  assert.equal(usernameOf("23456789abcd", " ADA@Engines.Example "), wanted);
  assert.notEqual(usernameOf("23456789abce", "ada@engines.example"), wanted);
});

test("only ASCII letters change their case", () => {
  for (const [email, key] of [
    ["A.Z+tag@X.EXAMPLE", "a.z+tag@x.example"],
    ["İ@x.example", "İ@x.example"],
    ["\u212a@x.example", "\u212a@x.example"], // the sign of the kelvin, which toLowerCase turns into the letter k
  ]) {
    assert.equal(keyOf(email), key);
  }
});

test("a password is the same on every keyboard", () => {
  for (const typed of ["Zu\u0308rich-Engine-2", "Z\u00fcrich-Engine-2", "Z\u00fcrich-Engine-\uff12"]) {
    assert.equal(passwordOf(typed), "Z\u00fcrich-Engine-2");
  }
  assert.equal(passwordOf(" Two  Words 2"), " Two  Words 2");
});

test("a code is what was mailed however it was pasted", () => {
  for (const pasted of ["123456", " 123 456\n", "123-456", "\ufeff123\u00a0456\u200b", "\uff11\uff12\uff13456"]) {
    assert.equal(pastedCode(pasted), "123456");
  }
});

test("every text exists in every language, and each is used", async () => {
  const [first, ...others] = LANGUAGES.map((language) => Object.keys(TEXTS[language]));
  for (const keys of others) assert.deepEqual(keys, first);
  const html = await readFile("../assets/sign-in.html", "utf8");
  for (const [, key] of html.matchAll(/data-(?:text|label)="([^"]+)"/g)) assert.ok(first.includes(key), key);
  const files = (await readdir("src")).filter((name) => name !== "texts.js");
  const sources = (await Promise.all(files.map((name) => readFile(`src/${name}`, "utf8")))).join("\n") + html;
  for (const key of first) {
    assert.ok(sources.includes(`"${key}"`) || sources.includes(`"${key.replace(/^say-/, "")}"`), `${key} is used nowhere`);
  }
});

test("the HTML file says in English what the script says", async () => {
  const html = await readFile("../assets/sign-in.html", "utf8");
  for (const [, key, text] of html.matchAll(/data-text="([^"]+)">([^<]*)</g)) assert.equal(text, TEXTS.en[key]);
});

test("refusals mean what they say", () => {
  for (const [status, type, message, code] of [
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error tenant-suspended.", "tenant-suspended"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error not-registered.", "wrong-password"],
    [400, "UserLambdaValidationException", "PreAuthentication failed with error something-else.", "unavailable"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error TenantUnavailable: see the function's log.", "unavailable"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error 2026-11-20T10:00:05Z 8f5e Task timed out after 5.00 seconds.", "unavailable"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error RequestId: 8f5e Error: Runtime exited with error: exit status 101.", "unavailable"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error TenantUnavailable: not-registered: see the log.", "unavailable"],
    [400, "UserLambdaValidationException", "", "unavailable"],
    [400, "UnexpectedLambdaException", "PreAuthentication invocation failed due to error Socket timeout while invoking Lambda function.", "unavailable"],
    [400, "UnexpectedLambdaException", "PreTokenGeneration invocation failed due to configuration error.", "unavailable"],
    [400, "InvalidLambdaResponseException", "Unrecognizable lambda output", "unavailable"],
    [400, "CodeDeliveryFailureException", "", "unavailable"],
    [400, "InternalErrorException", "", "unavailable"],
    [400, "UserLambdaValidationException", "PreTokenGeneration failed with error provider-address-unverified.", "provider-address-unverified"],
    [400, "UserLambdaValidationException", "PreAuthentication failed with error address-not-verified.", "not-confirmed"],
    [400, "UserNotFoundException", "Exception migrating user in app client x", "unavailable"],
    [400, "UserLambdaValidationException", "UserMigration failed with error FormerPoolUnavailable: see the function's log.", "unavailable"],
    [400, "NotAuthorizedException", "Incorrect username or password.", "wrong-password"],
    [400, "NotAuthorizedException", "Password attempts exceeded", "too-many-requests"],
    [400, "NotAuthorizedException", "User is disabled.", "disabled"],
    [400, "NotAuthorizedException", "Invalid session for the user, session is expired.", "session-ended"],
    [400, "com.amazonaws.cognito#TooManyRequestsException", "Rate exceeded", "too-many-requests"],
    [400, "ThrottlingException", "Rate exceeded", "too-many-requests"],
    [400, "InvalidPasswordException", "Password did not conform with policy", "weak-password"],
    [500, "InternalErrorException", "", "unavailable"],
    [400, "InvalidParameterException", "", "refused"],
  ]) {
    assert.equal(codeOf(status, { __type: type, message }), code, message);
  }
  assert.equal(codeOf(502, null), "unavailable");
  assert.equal(codeOf(429, null), "too-many-requests");
});

const PASSWORD = "Difference-Engine-2";
const TOKENS = { AuthenticationResult: { AccessToken: "access", RefreshToken: "refresh" } };
const WRONG = { __type: "NotAuthorizedException", message: "Incorrect username or password." };

/** Signs in where each step of Amazon Cognito's gives the answer that it has here. Returns the calls that were made. */
async function signIn(test, migrates, answers) {
  const calls = [];
  test.mock.method(globalThis, "fetch", async (_, { body }) => {
    const asked = JSON.parse(body);
    const step = asked.AuthFlow ?? asked.ChallengeName;
    calls.push({ step, showsPassword: body.includes(PASSWORD) });
    const said = answers[step];
    return new Response(JSON.stringify(said), { status: said.__type ? 400 : 200 });
  });
  const discovery = { alias: "23456789abcd", client_id: "1", identity_endpoint: "https://pool.example", migrates };
  const identity = new Identity({ ...discovery, user_pool_id: "eu-central-1_a1B2c3D4e" });
  const outcome = await identity.signIn("5b62e069-cb2b-5d42-a9bb-cad80b704827", PASSWORD).catch(({ code }) => code);
  return { calls, outcome };
}

const CHALLENGED = {
  ChallengeName: "PASSWORD_VERIFIER",
  ChallengeParameters: { USER_ID_FOR_SRP: "5b62e069", SRP_B: "abcdef01", SALT: "abcdef02", SECRET_BLOCK: "c2VjcmV0" },
};
const PROVED = ["USER_SRP_AUTH", "PASSWORD_VERIFIER"].map((step) => ({ step, showsPassword: false }));
const SENT = { step: "USER_PASSWORD_AUTH", showsPassword: true };

test("a password leaves the browser only for a workspace that has moved, once, if it seems wrong", async (test) => {
  const entered = { session: { access: "access", refresh: "refresh" } };
  const exceeded = { ...WRONG, message: "Password attempts exceeded" };
  for (const [migrates, proof, answer, outcome, calls] of [
    [true, WRONG, TOKENS, entered, [...PROVED, SENT]],
    [true, WRONG, WRONG, "wrong-password", [...PROVED, SENT]],
    [true, TOKENS, WRONG, entered, PROVED],
    [true, exceeded, TOKENS, "too-many-requests", PROVED],
    [false, WRONG, TOKENS, "wrong-password", PROVED],
    [undefined, WRONG, TOKENS, "wrong-password", PROVED],
    ["false", WRONG, TOKENS, "wrong-password", PROVED],
  ]) {
    const answers = { USER_SRP_AUTH: CHALLENGED, PASSWORD_VERIFIER: proof, USER_PASSWORD_AUTH: answer };
    assert.deepEqual(await signIn(test, migrates, answers), { calls, outcome }, `${migrates} ${proof.message}`);
    test.mock.restoreAll();
  }
});

test("claims are shown as text", () => {
  const claims = { tenant_id: "t", entitlements: ["reports", "export"], policy_version: 0, exp: 0 };
  const token = `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
  assert.deepEqual(claimsOf(token), claims);
  const rows = new Map(shown(claims, "en"));
  assert.deepEqual(
    [rows.get("entitlements"), rows.get("policy_version"), rows.get("role")],
    ["reports, export", "0", "–"],
  );
  assert.equal(managesAccount({ scope: "aws.cognito.signin.user.admin" }), true);
  assert.equal(managesAccount({ scope: "openid email" }), false);
});

/** What a window keeps for as long as it is open. */
function storageWith(kept) {
  const items = new Map(kept === undefined ? [] : [["meridian:federation", kept]]);
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
    items,
  };
}

const KEPT = JSON.stringify({ state: "drawn-here", verifier: "verifier" });
const CLOSED = new URLSearchParams({ error: "x", error_description: "PreSignUp failed with error tenant-closed." });

test("nothing of an answer is looked at whose state was not drawn in this window", () => {
  for (const [kept, search] of [
    [undefined, `?state=1&${CLOSED}`],
    [undefined, "?state=null&code=1"],
    [undefined, "?state=undefined&code=1"],
    ["null", "?state=null&code=1"],
    ["{}", "?state=undefined&code=1"],
    ['{"state":""}', `?state=&${CLOSED}`],
    ["no json", `?state=no json&${CLOSED}`],
    [KEPT, `?state=1&${CLOSED}`],
    [KEPT, `?state=DRAWN-HERE&${CLOSED}`],
    [KEPT, `?state=drawn-here&state=1&${CLOSED}`],
    [KEPT, `?${CLOSED}`],
    [KEPT, "?code=1"],
  ]) {
    const storage = storageWith(kept);
    assert.equal(isReturn({ search }), true, search);
    assert.equal(returned({ search }, storage), null, `${kept} ${search}`);
    assert.equal(storage.getItem("meridian:federation"), kept ?? null, `what is under way goes on: ${search}`);
  }
  for (const search of ["", "?alias=23456789abcd", "?organisation"]) assert.equal(isReturn({ search }), false, search);
});

test("an answer is good for once, and says why it is a refusal", async () => {
  const storage = storageWith(KEPT);
  const search = `?state=drawn-here&${CLOSED}`;
  const answer = returned({ search }, storage);
  assert.equal(returned({ search }, storage), null, "again");
  const refusal = (answer) => complete({ federation: {} }, answer, {}).catch(({ code }) => code);
  assert.equal(await refusal(answer), "tenant-closed");
  for (const [description, code] of [
    ["PreSignUp failed with error not-registered. ", "organisation-refused"],
    ["PreSignUp failed with error provider-address-unverified. ", "provider-address-unverified"],
    ["PreSignUp failed with error provider-address-missing.", "provider-address-missing"],
    ["PreSignUp failed with error removed.", "removed"],
    ["PreSignUp failed with error tenant-full.", "tenant-full"],
    ["PreSignUp failed with error RegistrationUnavailable: see the function's log.", "unavailable"],
    ["PreSignUp invocation failed due to error Socket timeout while invoking Lambda function.", "unavailable"],
    ["User is not assigned to the client application.", "organisation-refused"],
    ["tenant-closed", "organisation-refused"],
    ["", "organisation-refused"],
  ]) {
    const query = new URLSearchParams({ error: "invalid_request", error_description: description });
    assert.equal(await refusal({ query, verifier: "verifier" }), code, description);
  }
  assert.equal(await refusal({ query: new URLSearchParams(), verifier: "verifier" }), "organisation-refused");
});

test("passing trouble is never told as a wrong password", async (test) => {
  for (const trouble of [
    { __type: "UnexpectedLambdaException", message: "PreAuthentication failed with error Socket timeout." },
    { __type: "InvalidLambdaResponseException", message: "Unrecognizable lambda output" },
    { __type: "UserLambdaValidationException", message: "PreTokenGeneration failed with error Task timed out." },
    { __type: "UserNotFoundException", message: "Exception migrating user in app client 1" },
  ]) {
    for (const migrates of [true, false]) {
      const answers = { USER_SRP_AUTH: trouble, PASSWORD_VERIFIER: trouble, USER_PASSWORD_AUTH: trouble };
      const { outcome, calls } = await signIn(test, migrates, answers);
      assert.equal(outcome, "unavailable", trouble.__type);
      assert.deepEqual(calls, PROVED.slice(0, 1), "the password is not sent either");
      test.mock.restoreAll();
    }
  }
});

test("the provider returns to the address with the random alias", () => {
  const discovery = { alias: "23456789abcd" };
  for (const [address, own] of [
    ["https://acme.app.example.com/", "https://23456789abcd.app.example.com"],
    ["http://23456789abcd.localhost:8000/", "http://23456789abcd.localhost:8000"],
  ]) {
    assert.equal(ownOrigin(discovery, new URL(address)), own);
  }
});

test("the language is one of the person's", () => {
  for (const [languages, language] of [[["de-AT", "en"], "de"], [["fr", "en-GB"], "en"], [["fr"], "en"], [[], "en"]]) {
    assert.equal(preferred(languages), language);
  }
});
