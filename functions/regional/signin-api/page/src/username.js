// The name by which the identity provider knows a person of a tenant. It is computed, so that no look-up tells who
// is registered.

import { v5 } from "uuid";

/** UUID version 5 of `meridian:user:<alias>:<address>` in the namespace of URLs, as `tenancy::Username::of`. */
export function usernameOf(alias, email) {
  return v5(`meridian:user:${alias}:${keyOf(email)}`, v5.URL);
}

/** The form by which addresses are compared, as `tenancy::EmailAddress::key`: ASCII letters in lower case. */
export function keyOf(email) {
  return email.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
