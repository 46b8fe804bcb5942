"""Sends one event in every form, made by the SDK that the CloudEvents project maintains, and sent by requests.

Standard input has the job as JSON: the address, a token, and the event. Standard output gets the region's answer to
each form as JSON.
"""

import gzip
import json
import sys

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse


def made(event):
    attributes = {name: value for name, value in event.items() if name != "data"}
    attributes["time"] = isoparse(attributes["time"])
    return CloudEvent(attributes=attributes, data=event["data"])


def forms(event):
    """Name, headers and body of each form. The SDK has no batch: it is a list of structured events."""
    binary, structured = to_binary_event(event), to_structured_event(event)
    batch = b"[" + b",".join([structured.body, structured.body]) + b"]"
    of_batch = {"content-type": "application/cloudevents-batch+json"}
    for name, headers, body in (
        ("binary", binary.headers, binary.body),
        ("structured", structured.headers, structured.body),
        ("batch", of_batch, batch),
    ):
        yield name, headers, body
        yield f"{name}, compressed", {**headers, "content-encoding": "gzip"}, gzip.compress(body)


def main():
    job = json.load(sys.stdin)
    token = {"authorization": f"Bearer {job['token']}"}
    answers = {}
    for name, headers, body in forms(made(job["event"])):
        answer = requests.post(job["url"], headers={**headers, **token}, data=body, timeout=30)
        answers[name] = {"status": answer.status_code, "body": answer.json()}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
