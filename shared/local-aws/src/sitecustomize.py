"""Extends the emulator. Python imports this module before the emulator's own code."""

import importlib.machinery
import socketserver
import sys
import threading

# The Lambda Runtime API responds in several small writes, each of which would wait for the reader's delayed
# acknowledgement: about 100 ms per invocation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

COGNITO = "ministack.services.cognito"

# The calls after which Cognito mails a code, and the trigger source of each for the custom-message function.
SOURCES = {
    "SignUp": "CustomMessage_SignUp",
    "ResendConfirmationCode": "CustomMessage_ResendCode",
    "ForgotPassword": "CustomMessage_ForgotPassword",
    "AdminResetUserPassword": "CustomMessage_ForgotPassword",
}


def extend(cognito):
    """Adds two behaviours of Cognito. The pool's custom-message function words the mails with a code, as it does
    invitations. The pre-sign-up function gets the validation data and client metadata of a sign-up, and runs before the
    check for an existing account."""
    call = threading.local()
    run, send = cognito._run_idp_handler, cognito._send_verification_email
    build_sign_up = cognito._build_presignup_event

    def run_with_call(handler, action, data):
        call.source, call.metadata = SOURCES.get(action), data.get("ClientMetadata")
        call.sign_up = data if action == "SignUp" else None
        try:
            return (refused(data) if call.sign_up else None) or run(handler, action, data)
        except (cognito._CustomMessageRejected, cognito._CustomMessageInvalid) as error:
            return cognito._custom_message_error(error)
        finally:
            call.source, call.sign_up = None, None

    def refused(data):
        """The function's refusal of a sign-up under a taken name, where the emulator would not invoke it."""
        for pool_id, pool in cognito._user_pools.items():
            if data.get("ClientId") in pool["_clients"] and data.get("Username") in pool["_users"]:
                attributes = cognito._attr_list_to_dict(data.get("UserAttributes", []))
                try:
                    cognito._apply_presignup_trigger(
                        pool_id, data["ClientId"], data["Username"], attributes, trigger_source="PreSignUp_SignUp"
                    )
                except cognito._PreSignUpRejected as error:
                    return cognito.error_response_json("UserLambdaValidationException", str(error), 400)
        return None

    def build_whole_sign_up(**arguments):
        event = build_sign_up(**arguments)
        sign_up = getattr(call, "sign_up", None)
        if sign_up is not None:
            validation_data = cognito._attr_list_to_dict(sign_up.get("ValidationData") or [])
            event["request"].update(validationData=validation_data, clientMetadata=sign_up.get("ClientMetadata") or {})
        return event

    def send_worded(pool, username, attributes, code, attribute_name="email"):
        source = getattr(call, "source", None)
        words = source and cognito._apply_custom_message_trigger(pool, source, username, attributes, call.metadata)
        if not (words and words.get("emailMessage")):
            return send(pool, username, attributes, code, attribute_name)
        if "{####}" not in words["emailMessage"]:
            raise cognito._CustomMessageInvalid("CustomMessage emailMessage must contain {####}.")
        return cognito._deliver_cognito_email(
            pool,
            (attributes or {}).get("email"),
            cognito._expand_template(words.get("emailSubject") or cognito._DEFAULT_VERIFICATION_SUBJECT, username, code),
            cognito._expand_template(words["emailMessage"], username, code),
            type_name="CognitoVerificationMessage",
            extra={"Username": username, "AttributeName": attribute_name},
        )

    cognito._run_idp_handler, cognito._send_verification_email = run_with_call, send_worded
    cognito._build_presignup_event = build_whole_sign_up


class Extending:
    """Extends the module as it is imported."""

    def find_spec(self, name, path, target=None):
        if name != COGNITO:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def load_and_extend(module):
            load(module)
            extend(module)

        spec.loader.exec_module = load_and_extend
        return spec


sys.meta_path.insert(0, Extending())
