// What the identity provider's refusals mean. A trigger's own code is inside of the provider's message.

const OF_TRIGGERS = /\b(tenant-suspended|tenant-not-ready|tenant-closed|not-registered|other-tenant|address-not-verified)\b/;

const MEANING = {
  "tenant-suspended": "tenant-suspended",
  "tenant-not-ready": "tenant-not-ready",
  "tenant-closed": "tenant-closed",
  "not-registered": "wrong-password",
  "other-tenant": "wrong-password",
  "address-not-verified": "not-confirmed",
};

const OF_EXCEPTIONS = {
  CodeMismatchException: "wrong-code",
  EnableSoftwareTokenMFAException: "wrong-code",
  ExpiredCodeException: "expired-code",
  InvalidPasswordException: "weak-password",
  PasswordHistoryPolicyViolationException: "used-password",
  PasswordResetRequiredException: "reset-required",
  UserNotConfirmedException: "not-confirmed",
  UserNotFoundException: "wrong-password",
  TooManyRequestsException: "too-many-requests",
  TooManyFailedAttemptsException: "too-many-requests",
  LimitExceededException: "too-many-requests",
};

/** The code of an answer that is an error, whoever gave it: Amazon Cognito, or a trigger by way of it. */
export function codeOf(status, said) {
  const exception = String(said?.__type ?? "").split("#").pop();
  const message = String(said?.message ?? said?.Message ?? "");
  const known = meaningOf(message) ?? OF_EXCEPTIONS[exception];
  if (known) return known;
  // An account that is in no pool, neither here nor where the tenant was before.
  if (/\b(user ?migration|migrating user)\b/i.test(message)) return "wrong-password";
  if (exception === "NotAuthorizedException") return ofNotAuthorized(message);
  if (status === 429) return "too-many-requests";
  return status >= 500 ? "unavailable" : "refused";
}

/** The code that a text carries, where a trigger put one into it. */
export function meaningOf(message) {
  return MEANING[OF_TRIGGERS.exec(message)?.[1]];
}

function ofNotAuthorized(message) {
  if (/attempts exceeded/i.test(message)) return "too-many-requests";
  if (/disabled/i.test(message)) return "disabled";
  if (/session|token/i.test(message)) return "session-ended";
  return "wrong-password";
}
