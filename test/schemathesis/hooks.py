"""What of the API's rules a schema cannot say, for data that is to be valid."""

import datetime
import re
import uuid

import schemathesis
from hypothesis import strategies as st

ZONES = ["UTC", "Europe/Moscow", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12"]

# Names of the IANA database.
schemathesis.openapi.format("iana-timezone", st.sampled_from(ZONES))

# A cursor is one that the service gave, for the same filters, or empty: the first
# page. No other text is one.
schemathesis.openapi.format("cursor", st.just(""))

# Files of clients: the only binary there is. Rows may be wrong: the answer says so
# of each, and it is 200.
ROWS = st.tuples(st.from_regex("7[0-9]{10}", fullmatch=True), st.sampled_from(["", "vip", " vip "]), st.sampled_from([*ZONES, "", "Mars"]))
schemathesis.openapi.format(
    "binary",
    st.lists(ROWS, max_size=5).map(lambda rows: "".join(",".join(row) + "\r\n" for row in [("phone", "tag", "timezone"), *rows])),
)
schemathesis.serializer.alias("text/csv", "text/plain")

# An instant as the API reads it, if there is such a day.
INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))", re.ASCII
)


def in_years(first, text):
    """The instant within five years; what is none stays as it is."""
    instant = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if instant is None:
        return text
    year, month, day = (int(part) for part in instant.group(1, 2, 3))
    try:
        datetime.date(year or 4, month, day)  # to Python there is no year 0, which is a leap year
    except ValueError:
        return text
    return f"{first + year % 5}-{month:02}-{min(day, 28):02}{instant.group(4)}"


@schemathesis.hook
def map_case(context, case):
    """Starts and ends are to come, in this order, and a window is not empty.

    Instants are moved in bad data, too, which stays bad: no mailing may start
    while this runs, as it would go to all the clients that there are.
    """
    good = case.meta.generation.mode.is_positive
    if isinstance(case.body, dict):
        body = dict(case.body)
        for name, first in (("start_at", 2090), ("end_at", 2095)):
            if name in body:
                body[name] = in_years(first, body[name])
        if good and isinstance(body.get("window"), dict):
            # A PATCH may change one half of a window, if the mailing has one.
            window = {"from": "09:00", "to": "21:00", **body["window"]}
            if window["from"] == window["to"]:
                window["to"] = "12:00" if window["from"] == "00:00" else "00:00"
            body["window"] = window
        case.body = body
    if good and case.headers:
        if case.headers.get("If-Match", '"1"') != '"1"':
            # No version looks like a random text: nearly every change would end as 412.
            case.headers["If-Match"] = "*"
        use_new_key(case)
    return case


def use_new_key(case):
    """A key belongs to one request. No schema says which ones were used."""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def before_add_examples(context, examples):
    """The examples of an operation show one key for all of its bodies."""
    for case in examples:
        use_new_key(case)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what LocalStack cannot pass on.

    It takes a posted form apart and puts it together again (restore_payload of
    its package rolo), and one without a boundary makes it fail with a 500 of its
    own. API Gateway looks into no body. That the function does not either, if it
    takes none, is tested in internal/api.
    """
    return case.method != "POST" or (case.headers or {}).get("Content-Type") != "multipart/form-data"
