"""LocalStack's Lambda, on the host: every execution environment is an ordinary process.

plugins.py    what LocalStack finds by its entry points
executor.py   one execution environment: start, invoke, stop
runtime.py    the Lambda Runtime API that the environment's process talks to
process.py    the process itself: its start, its end, its log lines
polling.py    how event sources wait for messages
thrift.py     what LocalStack need not do
server.py     LocalStack's gateway on the loopback interface only

Settings (environment of the LocalStack process):

POSTRIDER_STATE            the stack's folder; logs/ below it is written here
POSTRIDER_LAMBDA_ENDPOINT  optional: what functions get as AWS_ENDPOINT_URL, with the function's
                           name appended to the path, instead of LocalStack's own address. Calls to
                           DynamoDB have /port/PORT after it: the port of DynamoDB Local
"""
