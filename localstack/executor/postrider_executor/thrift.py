"""Turns off work of LocalStack that no test and no person needs here.

After each invocation LocalStack stores the function's lines and a metric in its own CloudWatch, by several
requests to itself. They took half of its processor time: 34 ms for a request to the API with them,
17 ms without. Here the lines are in files, and the metrics come from the lines and from the API.
The log groups exist, and stay empty.

LocalStack's modules are half a million objects that live as long as it does, and Python's garbage
collector looks at new ones after each 2,000. It is asked to do so less often, which takes a tenth
off the time of a deployment.
"""

import gc

from localstack.services.lambda_.invocation import version_manager
from localstack.services.lambda_.invocation.logs import LogHandler


def collect_less_often() -> None:
    gc.set_threshold(50_000, 20, 20)


def store_nothing_in_cloudwatch() -> None:
    if getattr(LogHandler, "postrider_quiet", False):
        return
    LogHandler.postrider_quiet = True
    LogHandler.start_subscriber = LogHandler.add_logs = lambda *_: None
    start_thread = version_manager.start_thread

    def start_no_metrics(method, *args, name=None, **kwargs):
        if not (name or "").startswith("record-cloudwatch-metric"):
            return start_thread(method, *args, name=name, **kwargs)

    version_manager.start_thread = start_no_metrics
