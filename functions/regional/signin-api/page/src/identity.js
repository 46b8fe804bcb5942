// The calls of Amazon Cognito's API that sign a person in and out. Secure remote password: the password itself does not
// leave the browser, but where an account has to be brought along from the region where the tenant was before.

import { createSrpSession, signSrpSession, wrapAuthChallenge, wrapInitiateAuth } from "cognito-srp-helper";
import { Refusal, read, send } from "./answer.js";
import { codeOf } from "./refusals.js";
import { pastedCode, passwordOf } from "./typed.js";

/** The identity provider of one region, for the accounts of one client. */
export class Identity {
  constructor({ alias, client_id, identity_endpoint, migrates, user_pool_id }) {
    this.alias = alias;
    this.clientId = client_id;
    this.endpoint = identity_endpoint;
    this.migrates = migrates === true;
    this.pool = user_pool_id;
  }

  /** Which tenant is meant: a trigger refuses the account of another. */
  get #meant() {
    return { alias: this.alias };
  }

  /** Signs in by the password. Returns tokens, or the next challenge. */
  async signIn(username, typed) {
    const password = passwordOf(typed);
    try {
      return await this.#prove(username, password);
    } catch (error) {
      if (!this.migrates || error.code !== "wrong-password") throw error;
      return this.#bringAlong(username, password);
    }
  }

  /** Proves the password without sending it. */
  async #prove(username, password) {
    const session = createSrpSession(username, password, this.pool, false);
    const asked = await this.#call(
      "InitiateAuth",
      wrapInitiateAuth(session, {
        ClientId: this.clientId,
        AuthFlow: "USER_SRP_AUTH",
        AuthParameters: { USERNAME: username },
        ClientMetadata: this.#meant,
      }),
    );
    if (asked.ChallengeName !== "PASSWORD_VERIFIER") return this.#outcome(asked, username);
    const name = asked.ChallengeParameters.USER_ID_FOR_SRP;
    const proof = wrapAuthChallenge(signSrpSession(session, asked), {
      ClientId: this.clientId,
      ChallengeName: "PASSWORD_VERIFIER",
      ChallengeResponses: { USERNAME: name },
      ClientMetadata: this.#meant,
      Session: asked.Session,
    });
    return this.#outcome(await this.#call("RespondToAuthChallenge", proof), name);
  }

  /** Sends the password, once: Cognito looks for an account that it does not have in the password flow alone. */
  async #bringAlong(username, password) {
    const asked = await this.#call("InitiateAuth", {
      ClientId: this.clientId,
      AuthFlow: "USER_PASSWORD_AUTH",
      AuthParameters: { USERNAME: username, PASSWORD: password },
      ClientMetadata: this.#meant,
    });
    return this.#outcome(asked, asked.ChallengeParameters?.USER_ID_FOR_SRP ?? username);
  }

  /** Answers a challenge that `signIn` returned. */
  async answer(challenge, typed) {
    const value = challenge.name === "NEW_PASSWORD_REQUIRED" ? passwordOf(typed) : pastedCode(typed);
    const field = { NEW_PASSWORD_REQUIRED: "NEW_PASSWORD", SOFTWARE_TOKEN_MFA: "SOFTWARE_TOKEN_MFA_CODE" };
    const answered = await this.#call("RespondToAuthChallenge", {
      ClientId: this.clientId,
      ChallengeName: challenge.name,
      ChallengeResponses: { USERNAME: challenge.username, [field[challenge.name]]: value },
      ClientMetadata: this.#meant,
      Session: challenge.session,
    });
    return this.#outcome(answered, challenge.username);
  }

  /** Has a code mailed by which the password can be set anew, if there is such an account: no answer tells. */
  async forgot(username) {
    try {
      await this.#call("ForgotPassword", { ClientId: this.clientId, Username: username });
    } catch (error) {
      if (["too-many-requests", "unavailable", "unreachable"].includes(error.code)) throw error;
    }
  }

  /** Sets the password anew. No code is right for an account that does not exist. */
  async reset(username, code, password) {
    const proved = { ConfirmationCode: pastedCode(code), Password: passwordOf(password) };
    const asked = { ClientId: this.clientId, Username: username, ...proved };
    try {
      await this.#call("ConfirmForgotPassword", asked);
    } catch (error) {
      throw error.code === "wrong-password" ? new Refusal("wrong-code") : error;
    }
  }

  /** Begins to set an authenticator up: the secret that it has to know. */
  async authenticatorSecret(accessToken) {
    const { SecretCode } = await this.#call("AssociateSoftwareToken", { AccessToken: accessToken });
    return SecretCode;
  }

  /** Proves that the authenticator knows the secret; from now on its code is asked for at every sign-in. */
  async useAuthenticator(accessToken, code) {
    const { Status } = await this.#call("VerifySoftwareToken", { AccessToken: accessToken, UserCode: pastedCode(code) });
    if (Status !== "SUCCESS") throw new Refusal("wrong-code");
    await this.#call("SetUserMFAPreference", {
      AccessToken: accessToken,
      SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true },
    });
  }

  /** Ends every session of the person. */
  async signOutEverywhere(accessToken) {
    await this.#call("GlobalSignOut", { AccessToken: accessToken });
  }

  /** Ends the session of this browser. */
  async revoke(clientId, refreshToken) {
    await this.#call("RevokeToken", { ClientId: clientId, Token: refreshToken });
  }

  #outcome(answer, username) {
    const { AuthenticationResult: tokens, ChallengeName: name, Session: session } = answer;
    if (tokens) return { session: { access: tokens.AccessToken, refresh: tokens.RefreshToken } };
    if (name === "NEW_PASSWORD_REQUIRED" || name === "SOFTWARE_TOKEN_MFA") {
      return { challenge: { name, session, username } };
    }
    throw new Refusal("unknown-challenge");
  }

  async #call(operation, body) {
    const answer = await send(this.endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AWSCognitoIdentityProviderService.${operation}`,
      },
      body: JSON.stringify(body),
    });
    const said = await read(answer);
    if (answer.ok) return said ?? {};
    throw new Refusal(codeOf(answer.status, said));
  }
}
