"""Sets stackpolicy.json as the policy of a stack: stackpolicy.py ENV, an environment of samconfig.toml.

sam has no option for it. Python and boto3 are those that sam is installed with.
"""

import pathlib
import sys
import tomllib

import boto3
from botocore.exceptions import ClientError

target = tomllib.loads(pathlib.Path("samconfig.toml").read_text())[sys.argv[1]]["deploy"]["parameters"]
stack = target["stack_name"]
policy = pathlib.Path("infra/stackpolicy.json").read_text()
client = boto3.client("cloudformation", region_name=target["region"])
try:
    client.set_stack_policy(StackName=stack, StackPolicyBody=policy)
except ClientError as error:
    sys.exit(f"set the policy of the stack {stack}, whose tables an update may now replace or remove: {error}")
print(f"{stack}: no update can replace or remove its tables and queues")
