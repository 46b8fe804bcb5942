// Every text of the page, in every language. `page.test.js` holds that none is missing anywhere.

export const LANGUAGES = ["en", "de"];

const EN = {
  title: "Sign in",
  loading: "One moment …",
  workspace: "Workspace",
  language: "Language",
  privacy: "Your account and your data are kept in the region of your workspace.",

  "sign-in": "Sign in",
  email: "E-mail address",
  password: "Password",
  "sign-in-button": "Sign in",
  forgot: "Forgotten your password?",
  or: "or",
  organisation: "Sign in with your organisation",
  "other-address": "I do not know my address",

  mfa: "Enter the code",
  "mfa-lead": "Your authenticator app shows a code of six digits for this account.",
  code: "Code",
  continue: "Continue",
  back: "Back to sign-in",

  "new-password": "Choose a new password",
  "new-password-lead": "The password that you signed in with was for once only.",
  "new-password-label": "New password",
  "password-rule": "At least 12 characters, with a lower-case letter, an upper-case letter and a digit.",
  "set-password": "Set the password",

  "forgot-heading": "Set a new password",
  "forgot-lead": "We mail you a code. With it you choose a new password.",
  "send-code": "Send the code",
  "reset-lead": "If there is an account with this address, a code is on its way to it.",
  "reset-code": "Code from the mail",

  find: "Find my workspaces",
  "find-lead": "We mail you the addresses of all your workspaces in this region.",
  "find-button": "Send me the list",
  found: "Look into your mail",
  "found-lead": "If workspaces of this region belong to this address, a list of them is on its way to it.",

  session: "You are signed in",
  "session-lead": "This is what your access token says.",
  tenant_id: "Tenant",
  alias: "Address",
  region: "Region",
  role: "Role",
  plan: "Plan",
  entitlements: "Entitlements",
  policy_version: "Policy version",
  exp: "Valid until",
  "set-up": "Set up an authenticator",
  "sign-out": "Sign out",
  "sign-out-everywhere": "Sign out everywhere",

  authenticator: "Set up an authenticator",
  "authenticator-lead": "Add an account in your authenticator app with this key, then enter the code that it shows.",
  secret: "Key",
  "open-app": "Open in an authenticator app",
  "turn-on": "Turn on",
  cancel: "Cancel",

  "unknown-address": "There is no workspace at this address",
  "unknown-address-lead": "Check the spelling, or have the addresses of your workspaces mailed to you.",
  "tenant-suspended": "This workspace is suspended",
  "tenant-suspended-lead": "Nobody can sign in at the moment. The administrators of your organisation know more.",
  moved: "This workspace has moved",
  "moved-lead": "Its address leads to its new region within minutes. Please try again then.",
  "out-of-reach": "Signing in is not possible right now",
  again: "Try again",

  "say-signed-out": "You are signed out.",
  "say-signed-out-everywhere": "You are signed out everywhere.",
  "say-expired": "Your session has ended. Please sign in again.",
  "say-password-set": "Your new password is set. You can sign in with it now.",
  "say-authenticator-on": "From now on you are asked for a code when you sign in.",
  "say-wrong-password": "The e-mail address or the password is wrong.",
  "say-wrong-code": "The code is wrong. Please try again.",
  "say-expired-code": "The code is no longer valid. Please ask for a new one.",
  "say-weak-password": "The password does not meet the rules.",
  "say-used-password": "You have used this password before. Please choose another one.",
  "say-reset-required": "Your password has to be set anew.",
  "say-not-confirmed": "This account is not confirmed yet. Use the code that you were mailed when you signed up.",
  "say-disabled": "This account is locked. The administrators of your organisation know more.",
  "say-tenant-suspended": "This workspace is suspended. Nobody can sign in at the moment.",
  "say-tenant-not-ready": "This workspace is being set up. Please try again in a moment.",
  "say-tenant-closed": "This workspace is closed.",
  "say-too-many-requests": "Too many attempts. Please wait a few minutes.",
  "say-session-ended": "This took too long. Please sign in again.",
  "say-organisation-refused": "Your organisation's sign-in did not succeed. Please try again.",
  "say-provider-address-missing":
    "Your organisation's sign-in did not tell your e-mail address. An administrator can change that at the identity provider.",
  "say-provider-address-unverified":
    "Your organisation's sign-in does not say that your e-mail address is verified. An administrator of this workspace can allow that in the settings of its identity provider.",
  "say-removed": "An administrator has removed you from this workspace. You can come back by an invitation.",
  "say-tenant-full": "This workspace takes no more people. Its administrators know more.",
  "say-unknown-challenge": "This account needs a way to sign in that this page does not offer.",
  "say-invalid-email": "Please enter an e-mail address such as name@example.com.",
  "say-unreachable": "There is no connection. Please try again.",
  "say-unavailable": "Something failed on our side. Please try again.",
  "say-refused": "The sign-in was refused.",
};

const DE = {
  title: "Anmelden",
  loading: "Einen Moment …",
  workspace: "Arbeitsbereich",
  language: "Sprache",
  privacy: "Ihr Konto und Ihre Daten bleiben in der Region Ihres Arbeitsbereichs.",

  "sign-in": "Anmelden",
  email: "E-Mail-Adresse",
  password: "Passwort",
  "sign-in-button": "Anmelden",
  forgot: "Passwort vergessen?",
  or: "oder",
  organisation: "Mit Ihrer Organisation anmelden",
  "other-address": "Ich kenne meine Adresse nicht",

  mfa: "Code eingeben",
  "mfa-lead": "Ihre Authenticator-App zeigt für dieses Konto einen sechsstelligen Code.",
  code: "Code",
  continue: "Weiter",
  back: "Zurück zur Anmeldung",

  "new-password": "Neues Passwort wählen",
  "new-password-lead": "Das Passwort, mit dem Sie sich angemeldet haben, galt nur einmal.",
  "new-password-label": "Neues Passwort",
  "password-rule": "Mindestens 12 Zeichen, darunter ein Kleinbuchstabe, ein Großbuchstabe und eine Ziffer.",
  "set-password": "Passwort setzen",

  "forgot-heading": "Neues Passwort setzen",
  "forgot-lead": "Wir senden Ihnen einen Code. Damit wählen Sie ein neues Passwort.",
  "send-code": "Code senden",
  "reset-lead": "Wenn es zu dieser Adresse ein Konto gibt, ist ein Code dorthin unterwegs.",
  "reset-code": "Code aus der E-Mail",

  find: "Meine Arbeitsbereiche finden",
  "find-lead": "Wir senden Ihnen die Adressen aller Ihrer Arbeitsbereiche in dieser Region.",
  "find-button": "Liste zusenden",
  found: "Sehen Sie in Ihre E-Mails",
  "found-lead": "Wenn zu dieser Adresse Arbeitsbereiche in dieser Region gehören, ist eine Liste dorthin unterwegs.",

  session: "Sie sind angemeldet",
  "session-lead": "Das sagt Ihr Zugriffstoken.",
  tenant_id: "Mandant",
  alias: "Adresse",
  region: "Region",
  role: "Rolle",
  plan: "Tarif",
  entitlements: "Berechtigungen",
  policy_version: "Version der Richtlinie",
  exp: "Gültig bis",
  "set-up": "Authenticator einrichten",
  "sign-out": "Abmelden",
  "sign-out-everywhere": "Überall abmelden",

  authenticator: "Authenticator einrichten",
  "authenticator-lead":
    "Legen Sie in Ihrer Authenticator-App ein Konto mit diesem Schlüssel an und geben Sie den angezeigten Code ein.",
  secret: "Schlüssel",
  "open-app": "In einer Authenticator-App öffnen",
  "turn-on": "Einschalten",
  cancel: "Abbrechen",

  "unknown-address": "Unter dieser Adresse gibt es keinen Arbeitsbereich",
  "unknown-address-lead":
    "Prüfen Sie die Schreibweise, oder lassen Sie sich die Adressen Ihrer Arbeitsbereiche zusenden.",
  "tenant-suspended": "Dieser Arbeitsbereich ist gesperrt",
  "tenant-suspended-lead":
    "Zurzeit kann sich niemand anmelden. Näheres wissen die Administratoren Ihrer Organisation.",
  moved: "Dieser Arbeitsbereich ist umgezogen",
  "moved-lead": "Seine Adresse führt in wenigen Minuten in seine neue Region. Bitte versuchen Sie es dann erneut.",
  "out-of-reach": "Die Anmeldung ist gerade nicht möglich",
  again: "Erneut versuchen",

  "say-signed-out": "Sie sind abgemeldet.",
  "say-signed-out-everywhere": "Sie sind überall abgemeldet.",
  "say-expired": "Ihre Sitzung ist abgelaufen. Bitte melden Sie sich erneut an.",
  "say-password-set": "Ihr neues Passwort ist gesetzt. Sie können sich jetzt damit anmelden.",
  "say-authenticator-on": "Ab jetzt werden Sie bei der Anmeldung nach einem Code gefragt.",
  "say-wrong-password": "Die E-Mail-Adresse oder das Passwort ist falsch.",
  "say-wrong-code": "Der Code ist falsch. Bitte versuchen Sie es erneut.",
  "say-expired-code": "Der Code gilt nicht mehr. Bitte fordern Sie einen neuen an.",
  "say-weak-password": "Das Passwort entspricht nicht den Regeln.",
  "say-used-password": "Dieses Passwort haben Sie schon verwendet. Bitte wählen Sie ein anderes.",
  "say-reset-required": "Ihr Passwort muss neu gesetzt werden.",
  "say-not-confirmed":
    "Dieses Konto ist noch nicht bestätigt. Verwenden Sie den Code, den Sie bei der Registrierung erhalten haben.",
  "say-disabled": "Dieses Konto ist gesperrt. Näheres wissen die Administratoren Ihrer Organisation.",
  "say-tenant-suspended": "Dieser Arbeitsbereich ist gesperrt. Zurzeit kann sich niemand anmelden.",
  "say-tenant-not-ready": "Dieser Arbeitsbereich wird gerade eingerichtet. Bitte versuchen Sie es gleich noch einmal.",
  "say-tenant-closed": "Dieser Arbeitsbereich ist geschlossen.",
  "say-too-many-requests": "Zu viele Versuche. Bitte warten Sie einige Minuten.",
  "say-session-ended": "Das hat zu lange gedauert. Bitte melden Sie sich erneut an.",
  "say-organisation-refused": "Die Anmeldung bei Ihrer Organisation ist nicht gelungen. Bitte versuchen Sie es erneut.",
  "say-provider-address-missing":
    "Die Anmeldung bei Ihrer Organisation hat Ihre E-Mail-Adresse nicht genannt. Das kann die Administration beim Identitätsanbieter ändern.",
  "say-provider-address-unverified":
    "Die Anmeldung bei Ihrer Organisation sagt nicht, dass Ihre E-Mail-Adresse bestätigt ist. Das kann die Administration dieses Arbeitsbereichs in den Einstellungen des Identitätsanbieters zulassen.",
  "say-removed": "Die Administration hat Sie aus diesem Arbeitsbereich entfernt. Mit einer Einladung können Sie zurückkommen.",
  "say-tenant-full": "Dieser Arbeitsbereich nimmt niemanden mehr auf. Näheres weiß die Administration.",
  "say-unknown-challenge": "Dieses Konto braucht eine Art der Anmeldung, die diese Seite nicht bietet.",
  "say-invalid-email": "Bitte geben Sie eine E-Mail-Adresse wie name@example.com ein.",
  "say-unreachable": "Es besteht keine Verbindung. Bitte versuchen Sie es erneut.",
  "say-unavailable": "Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es erneut.",
  "say-refused": "Die Anmeldung wurde abgelehnt.",
};

export const TEXTS = { en: EN, de: DE };

/** The first of a person's languages that the page speaks. */
export function preferred(languages) {
  const known = languages.map((language) => language.slice(0, 2)).find((language) => LANGUAGES.includes(language));
  return known ?? LANGUAGES[0];
}
