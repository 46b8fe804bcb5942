"""Expands template.yaml as CloudFormation does, loops and SAM, and says how many resources a region has of it.

    .ci/expand.py template.yaml expanded.json

What checks a SAM template by itself may read nothing of it and say that all is well: check the expanded one. Fails when
the expansion fails, which `sam validate` does not notice, when it has no resources, and when a region has too many.
"""

import json
import sys

import boto3
from cfnlint.decode import cfn_yaml
from cfnlint.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

RESOURCES_MAX, ALARMS_MAX = 450, 20
SAM = "AWS::Serverless-2016-10-31"
# As many regions as make all loops turn, and everything switched on that a region can have.
REGIONS = "us-east-1,eu-central-1,ap-south-1,us-west-2"
EVERYTHING = {
    "HomeRegion": "us-east-1",
    "RegionCodes": REGIONS,
    "Jurisdiction": "us",
    "AlarmEmail": "operator@example.com",
    "BuilderToolkit": "true",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
    "DeployApplicationExample": "true",
    "HostedZoneId": "Z1",
    "TenantDomain": "app.example.com",
}
KINDS = {
    "home": {"Role": "home", "Mode": "shared"},
    "regional": {"Role": "regional", "Mode": "shared"},
    "sovereign": {"Role": "regional", "Mode": "sovereign"},
}


def expand(path):
    """The template without transforms."""
    raw = json.loads(json.dumps(cfn_yaml.load(path)))
    # The loop over regions is over a parameter.
    raw["Parameters"]["RegionCodes"]["Default"] = REGIONS
    refused, looped = language_extension(Template(path, raw, ["us-east-1"]))
    if refused:
        sys.exit(f"{path}: {refused}")
    looped = json.loads(json.dumps(looped))
    looped["Transform"] = SAM
    for resource in looped["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    session = boto3.Session(region_name="us-east-1")
    expanded = Translator({}, Parser(), boto_session=session).translate(looped, {})
    del expanded["Parameters"]["RegionCodes"]["Default"]
    return expanded


def holds(template, condition, parameters):
    """Whether a condition holds with these parameters."""

    def text(value):
        return parameters.get(value["Ref"], "") if isinstance(value, dict) else value

    def evaluate(expression):
        ((function, argument),) = expression.items()
        if function == "Condition":
            return evaluate(template["Conditions"][argument])
        if function == "Fn::Equals":
            return text(argument[0]) == text(argument[1])
        if function == "Fn::Not":
            return not evaluate(argument[0])
        return {"Fn::And": all, "Fn::Or": any}[function](map(evaluate, argument))

    return evaluate({"Condition": condition})


def main(path, output):
    template = expand(path)
    with open(output, "w", encoding="utf-8") as file:
        json.dump(template, file, indent=1, default=str)
    defaults = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
    for kind, of_kind in KINDS.items():
        parameters = {**defaults, **EVERYTHING, **of_kind}
        resources = [
            resource["Type"]
            for resource in template["Resources"].values()
            if "Condition" not in resource or holds(template, resource["Condition"], parameters)
        ]
        alarms = resources.count("AWS::CloudWatch::Alarm")
        print(f"{kind}: {len(resources)} resources, of which {alarms} alarms")
        if "AWS::Lambda::Function" not in resources:
            sys.exit(f"{kind}: nothing was expanded")
        if len(resources) > RESOURCES_MAX or alarms > ALARMS_MAX:
            sys.exit(f"{kind}: more than {RESOURCES_MAX} resources or {ALARMS_MAX} alarms")


if __name__ == "__main__":
    main(*sys.argv[1:])
