"""How LocalStack's event source mappings wait for SQS messages: by long polling, as on AWS.

LocalStack asks without waiting, and pauses after every empty answer: 0.5 to 1.5 s after the first
one whatever the settings say (the initial interval is fixed), then up to 1.5 times
LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC. Each hop of a mailing would wait that long
after a lull, and a short pause costs a busy loop. A long poll returns as soon as a message is there.

Measured on two busy cores, from SendMessage to the handler on an idle queue: median 20 to 35 ms,
slowest of 12 29 to 67 ms (go test -tags integration ./localstack/stack -run TestStack/a_message -v).
The whole idle LocalStack, with two event sources, uses 1.2 % of a core.

What else holds there: ScalingConfig is accepted and changes nothing (one poll and one invocation at
a time for each source); a BatchSize above 10 works, with the batching window that AWS demands for
it, which then ends with the first message; a visibility timeout or delay ends up to 1 s late.
"""

import logging

from localstack.services.lambda_.event_source_mapping.pollers.poller import (
    EmptyPollResultsException,
)
from localstack.services.lambda_.event_source_mapping.pollers.sqs_poller import SqsPoller
from localstack.utils.patch import patch

LOG = logging.getLogger(__name__)

# Seconds that one request waits. Longer saves next to nothing, and a mapping that is changed or
# deleted finishes its poll first.
WAIT = 2


def _wait_for_messages(params, **_):
    if not params.get("WaitTimeSeconds"):  # a batching window has a wait of its own
        params["WaitTimeSeconds"] = WAIT


def install() -> None:
    if getattr(SqsPoller, "postrider_long_polling", False):
        return
    SqsPoller.postrider_long_polling = True

    @patch(SqsPoller._register_client_hooks)
    def register_client_hooks(original, self):
        original(self)
        events = self.source_client.meta.events
        events.register("provide-client-params.sqs.ReceiveMessage", _wait_for_messages)

    @patch(SqsPoller.poll_events)
    def poll_events(original, self):
        try:
            original(self)
        except EmptyPollResultsException:
            pass  # it has waited already: no pause on top
