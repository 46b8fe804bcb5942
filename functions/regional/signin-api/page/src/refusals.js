// What the identity provider's refusals mean. A trigger's own code is inside of the provider's message.

/** How Cognito quotes what a trigger says, which is one of the words below where the trigger refused. */
const OF_TRIGGERS = /\b(\w+) (?:failed with error|invocation failed due to) (.*)/is;

/** The words by which triggers refuse. What a trigger says that is none of them is the report of a failure. */
const MEANING = {
  "tenant-suspended": "tenant-suspended",
  "tenant-not-ready": "tenant-not-ready",
  "tenant-closed": "tenant-closed",
  "not-registered": "wrong-password",
  "other-tenant": "wrong-password",
  "address-not-verified": "not-confirmed",
  "client-ended": "refused",
  "address-is-fixed": "refused",
  "mail-withheld": "too-many-requests",
  "provider-address-missing": "provider-address-missing",
  "provider-address-unverified": "provider-address-unverified",
  removed: "removed",
  "tenant-full": "tenant-full",
};

/** A trigger did not answer, or not as it should. The account and the password may be right. */
const FAILURES = ["InvalidLambdaResponseException", "UnexpectedLambdaException", "UserLambdaValidationException"];

const OF_EXCEPTIONS = {
  CodeDeliveryFailureException: "unavailable",
  CodeMismatchException: "wrong-code",
  EnableSoftwareTokenMFAException: "wrong-code",
  ExpiredCodeException: "expired-code",
  InvalidPasswordException: "weak-password",
  PasswordHistoryPolicyViolationException: "used-password",
  PasswordResetRequiredException: "reset-required",
  InternalErrorException: "unavailable",
  UserNotConfirmedException: "not-confirmed",
  UserNotFoundException: "wrong-password",
  ThrottlingException: "too-many-requests",
  TooManyRequestsException: "too-many-requests",
  TooManyFailedAttemptsException: "too-many-requests",
  LimitExceededException: "too-many-requests",
};

/** The code of an answer that is an error, whoever gave it: Amazon Cognito, or a trigger by way of it. */
export function codeOf(status, said) {
  const exception = String(said?.__type ?? "").split("#").pop();
  const message = String(said?.message ?? said?.Message ?? "");
  // The trigger answers for an account that is in no pool, so that this is its failure.
  if (/\bmigrating user\b/i.test(message)) return "unavailable";
  const known = meaningOf(message) ?? OF_EXCEPTIONS[exception];
  if (known) return known;
  if (FAILURES.includes(exception)) return "unavailable";
  if (exception === "NotAuthorizedException") return ofNotAuthorized(message);
  if (status === 429) return "too-many-requests";
  return status >= 500 ? "unavailable" : "refused";
}

/** What a trigger says in a text: what its refusal means, or that it failed. Nothing where the text is none of a trigger. */
export function meaningOf(message) {
  const quoted = OF_TRIGGERS.exec(message)?.[2];
  if (quoted === undefined) return undefined;
  const word = quoted.trim().replace(/\.+$/, "");
  return Object.hasOwn(MEANING, word) ? MEANING[word] : "unavailable";
}

function ofNotAuthorized(message) {
  if (/attempts exceeded/i.test(message)) return "too-many-requests";
  if (/disabled/i.test(message)) return "disabled";
  if (/session|token/i.test(message)) return "session-ended";
  return "wrong-password";
}
