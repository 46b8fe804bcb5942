// What a token says, for showing it. Nothing is verified here, so nothing is decided by it but what is shown.

/** The claims of a token. */
export function claimsOf(token) {
  const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Whether a token lets its bearer manage the account: one from an organisation's sign-in does not. */
export function managesAccount(claims) {
  return String(claims.scope ?? "").split(" ").includes("aws.cognito.signin.user.admin");
}

/** What is shown of the claims: the name of each, and its value as text. */
export function shown(claims, language) {
  const expiry = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short", hourCycle: "h23" });
  const rows = ["tenant_id", "alias", "region", "role", "plan", "entitlements", "policy_version"];
  return [
    ...rows.map((name) => [name, textOf(claims[name])]),
    ["exp", expiry.format(new Date(claims.exp * 1000))],
  ];
}

function textOf(value) {
  const text = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  return text === "" ? "–" : text;
}
