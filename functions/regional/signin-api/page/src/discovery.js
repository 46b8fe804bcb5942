// What the region says of the address that the page was opened at.

import { Refusal, read, send } from "./answer.js";

/** The discovery document of this address. On the region's own address the query names the workspace. */
export async function discover(location) {
  const alias = new URLSearchParams(location.search).get("alias");
  const query = alias === null ? "" : `?${new URLSearchParams({ alias })}`;
  // A workspace that moved is behind another region. Its address leads there soon; this page must not follow, since
  // it may talk to its own region only.
  const answer = await send(`/.well-known/meridian${query}`, { redirect: "manual" });
  if (answer.type === "opaqueredirect") throw new Refusal("moved");
  if (answer.status === 421) throw new Refusal("unknown-address");
  if (answer.status === 429) throw new Refusal("too-many-requests");
  const discovery = answer.ok ? await read(answer) : null;
  if (discovery === null) throw new Refusal("unavailable");
  return discovery;
}

/** Asks the region to mail a person the list of their workspaces. */
export async function findWorkspaces(email, language) {
  const answer = await send("/workspaces", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, language }),
  });
  if (answer.status === 429) throw new Refusal("too-many-requests");
  if (answer.status === 422 || answer.status === 400) throw new Refusal("invalid-email");
  if (!answer.ok) throw new Refusal("unavailable");
}
