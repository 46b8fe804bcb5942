// What people type and paste, as the identity provider has it.

/** A password as it is on every keyboard (NIST SP 800-63B, 5.1.1.2), as `tenancy::Password`. */
export function passwordOf(typed) {
  return typed.normalize("NFKC");
}

/** A code without what came along with it, as `tenancy::ConfirmationCode`: blanks, hyphens, and what is not seen. */
export function pastedCode(pasted) {
  return pasted.normalize("NFKC").replace(/[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Pd}\u2212]/gu, "");
}
