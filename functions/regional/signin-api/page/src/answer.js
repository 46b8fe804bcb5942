// Requests, and what can be wrong with them: every failure has a code, and texts.js has a text for each.

const TIMEOUT_MS = 15_000;

/** Why something did not succeed. */
export class Refusal extends Error {
  /** @param {string} code of `texts.js`, or one that has no text of its own and is shown as `refused`. */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Sends a request; nobody answering is a refusal like any other. */
export async function send(url, options) {
  try {
    return await fetch(url, { ...options, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Refusal("unreachable");
  }
}

/** What an answer says, or nothing where it is no JSON. */
export async function read(answer) {
  try {
    return await answer.json();
  } catch {
    return null;
  }
}
