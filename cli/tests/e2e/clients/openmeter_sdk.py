"""Reports usage by OpenMeter's own client, pointed at a region.

Standard input has the job as JSON: the address, a token, and events. Standard output gets one JSON object with an entry
for each call: empty after a success, or the status and the problem of the error that the client raised.
"""

import json
import sys

from corehttp.exceptions import HttpResponseError
from isodate import parse_datetime
from openmeter import Client
from openmeter.models import Event


def made(event):
    return Event(**{**event, "time": parse_datetime(event["time"])})


def outcome(call, body):
    try:
        call(body)
    except HttpResponseError as error:
        return {"status": error.status_code, "problem": json.loads(error.response.text())}
    return {}


def main():
    job = json.load(sys.stdin)
    events, refused = [made(event) for event in job["events"]], made(job["refused"])
    with Client(endpoint=job["endpoint"], token=job["token"]) as client:
        answers = {
            "one": outcome(client.events.ingest_event, events[0]),
            "batch": outcome(client.events.ingest_events, events),
            "json": outcome(client.events.ingest_events_json, events),
            "one refused": outcome(client.events.ingest_event, refused),
            "some refused": outcome(client.events.ingest_events, [events[0], refused]),
        }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
