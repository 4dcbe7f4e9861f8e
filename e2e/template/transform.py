"""Applies SAM's transform, the one that AWS applies, to the template on standard input and prints what CloudFormation
gets. Arguments are parameters, NAME=VALUE each. Ends with 1 and says why if the transform refuses the template."""

import json
import sys

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names none of AWS's policies."""

    def load(self):
        return {}


template = yaml_parse(sys.stdin.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":  # as `sam deploy` writes it after the upload
        resource["Properties"]["CodeUri"] = "s3://bucket/" + resource["Properties"]["CodeUri"]
parameters = {name: p.get("Default") for name, p in template["Parameters"].items()}
parameters |= dict(a.split("=", 1) for a in sys.argv[1:])
try:
    print(json.dumps(transform(template, parameters, NoManagedPolicies())))
except InvalidDocumentException as e:
    sys.exit("; ".join([e.message] + [c.message for c in e.causes]))
