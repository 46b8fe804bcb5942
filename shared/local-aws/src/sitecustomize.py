"""What the emulator runs before its own code."""

import importlib.machinery
import json
import socketserver
import sys
import threading

# Its Lambda Runtime API answers in several small writes, each of which would wait for the reader's delayed
# acknowledgement: about 100 ms per invocation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

APP = "ministack.app"
COGNITO = "ministack.services.cognito"

# The calls after which Cognito mails a code, with the source that a custom-message trigger is told.
SOURCES = {
    "SignUp": "CustomMessage_SignUp",
    "ResendConfirmationCode": "CustomMessage_ResendCode",
    "ForgotPassword": "CustomMessage_ForgotPassword",
    "AdminResetUserPassword": "CustomMessage_ForgotPassword",
}


def complete(cognito):
    """Lets the pool's custom-message function word the mails with a code, as it does invitations; and tells its
    pre-sign-up function what a sign-up says, before it is looked at who has an account already, as Cognito does."""
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
        """The refusal of a sign-up under a name that is taken, which the emulator would not ask the function for."""
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
            said = cognito._attr_list_to_dict(sign_up.get("ValidationData") or [])
            event["request"].update(validationData=said, clientMetadata=sign_up.get("ClientMetadata") or {})
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


# What is under way: the rows that wait for a function, by the beginning of their partitions.
WAITING = ("OUTBOX#", "PENDING#")


def under_way(about):
    """How many messages each queue holds, taken ones included, and how many rows wait; with texts, only those that
    mention one. One answer instead of two requests for each queue and a scan of every table."""
    from ministack.services import dynamodb, sqs

    def counts(text):
        return not about or any(word in text for word in about)

    queues = {
        key[-1].rsplit("/", 1)[-1]: sum(counts(message["body"]) for message in list(queue["messages"]))
        for key, queue in list(sqs._queues._data.items())
    }
    rows = dict.fromkeys(WAITING, 0)
    for table in list(dynamodb._tables._data.values()):
        for partition, items in list(table["items"].items()):
            prefix = next((prefix for prefix in WAITING if str(partition).startswith(prefix)), None)
            if prefix:
                rows[prefix] += sum(counts(json.dumps(item)) for item in list(items.values()))
    return {"queues": queues, "rows": rows}


def look_on(app):
    """Answers what is under way, beside the emulator's own routes for looking on."""
    handle = app._handle_pre_body_request

    async def handle_or_look(method, path, headers, query_params, request_id):
        if path != "/_meridian/under-way":
            return await handle(method, path, headers, query_params, request_id)
        said = json.dumps(under_way(query_params.get("about", [])))
        return 200, {"Content-Type": "application/json"}, said.encode()

    app._handle_pre_body_request = handle_or_look


class Completing:
    """Completes modules as they are imported."""

    completions = {APP: look_on, COGNITO: complete}

    def find_spec(self, name, path, target=None):
        completion = self.completions.pop(name, None)
        if completion is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def load_and_complete(module):
            load(module)
            completion(module)

        spec.loader.exec_module = load_and_complete
        return spec


sys.meta_path.insert(0, Completing())
