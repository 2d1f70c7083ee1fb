"""Makes of SAM templates what CloudFormation deploys, by SAM's own translator.

A list of templates comes in as JSON, and what each becomes goes out.
"""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

session = boto3.session.Session(region_name="us-east-1")
made = [Translator({}, Parser(), boto_session=session).translate(template, parameter_values={}) for template in json.load(sys.stdin)]
json.dump(made, sys.stdout)
