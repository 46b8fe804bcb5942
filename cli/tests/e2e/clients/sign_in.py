"""Signs a person in with a third-party client library (pycognito), one step a line.

Each line of standard input is a job as JSON: its `step`, and the input of that step. Each answer is a line of JSON on
standard output: tokens, or `error` with the exception's name and message. The library verifies every token that it gets
against the pool's keys.
"""

import json
import sys

import pyotp
import requests
from botocore.exceptions import ClientError
from pycognito import Cognito
from pycognito.exceptions import MFAChallengeException


def cognito(job, **tokens):
    client = Cognito(job["user_pool_id"], job["client_id"], username=job.get("username"), **tokens)
    # The keys come from the pool's own endpoint, because the library would request them from the host in the issuer.
    client.pool_jwk = requests.get(job["jwks_uri"], timeout=15).json()
    return client


def tokens_of(client):
    return {
        "id_token": client.id_token,
        "access_token": client.access_token,
        "refresh_token": client.refresh_token,
        "claims": client.access_claims,
    }


def srp(job):
    client = cognito(job)
    try:
        client.authenticate(job["password"], client_metadata=job.get("metadata"))
    except MFAChallengeException as challenge:
        if "totp_secret" not in job:
            return {"challenge": challenge.get_tokens()["ChallengeName"]}
        client.respond_to_software_token_mfa_challenge(pyotp.TOTP(job["totp_secret"]).now())
    return tokens_of(client)


def password(job):
    client = cognito(job)
    answer = client.client.initiate_auth(
        ClientId=job["client_id"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": job["username"], "PASSWORD": job["password"]},
        ClientMetadata=job.get("metadata", {}),
    )
    if "ChallengeName" in answer:
        return {"challenge": answer["ChallengeName"]}
    client._set_tokens(answer)
    return tokens_of(client)


def refresh(job):
    client = cognito(job, refresh_token=job["refresh_token"])
    client.renew_access_token()
    return tokens_of(client)


def new_password(job):
    client = cognito(job)
    client.new_password_challenge(job["password"], job["new_password"])
    return tokens_of(client)


def forgot(job):
    cognito(job).initiate_forgot_password()
    return {}


def confirm_forgot(job):
    cognito(job).confirm_forgot_password(job["code"], job["new_password"])
    return {}


def enrol(job):
    client = cognito(job, access_token=job["access_token"])
    secret = client.associate_software_token()
    verified = client.verify_software_token(pyotp.TOTP(secret).now(), device_name="authenticator")
    client.set_user_mfa_preference(sms_mfa=False, software_token_mfa=True, preferred="SOFTWARE_TOKEN")
    return {"totp_secret": secret, "verified": verified}


def sign_out(job):
    cognito(job, access_token=job["access_token"]).logout()
    return {}


STEPS = {
    step.__name__.replace("_", "-"): step
    for step in (srp, password, refresh, new_password, forgot, confirm_forgot, enrol, sign_out)
}


def take(job):
    try:
        return STEPS[job["step"]](job)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}


def main():
    for line in sys.stdin:
        print(json.dumps(take(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
