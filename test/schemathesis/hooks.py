"""Rules of the API that a schema cannot express, for the generation of valid data."""

import datetime
import re
import uuid

import schemathesis
from hypothesis import strategies as st

ZONES = ["UTC", "Europe/Moscow", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12"]

# Names of the IANA database.
schemathesis.openapi.format("iana-timezone", st.sampled_from(ZONES))

# A cursor is a text that the service returned for the same filters, or empty for the
# first page. Any other text is invalid.
schemathesis.openapi.format("cursor", st.just(""))

# A file of clients is the only binary body. Rows may be wrong: the answer reports each
# of them, with status 200.
ROWS = st.tuples(st.from_regex("7[0-9]{10}", fullmatch=True), st.sampled_from(["", "vip", " vip "]), st.sampled_from([*ZONES, "", "Mars"]))
schemathesis.openapi.format(
    "binary",
    st.lists(ROWS, max_size=5).map(lambda rows: "".join(",".join(row) + "\r\n" for row in [("phone", "tag", "timezone"), *rows])),
)
for media in ("text/csv", "text/tab-separated-values", "application/vnd.ms-excel"):
    schemathesis.serializer.alias(media, "text/plain")

# An instant in the form that the API reads. The day may not exist.
INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))", re.ASCII
)


def in_years(first, text):
    """Move an instant into five years from first on; return any other text unchanged."""
    instant = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if instant is None:
        return text
    year, month, day = (int(part) for part in instant.group(1, 2, 3))
    try:
        datetime.date(year or 4, month, day)  # Python has no year 0, which is a leap year
    except ValueError:
        return text
    return f"{first + year % 5}-{month:02}-{min(day, 28):02}{instant.group(4)}"


@schemathesis.hook
def map_case(context, case):
    """Move starts and ends into the future, in this order.

    In valid data a window is made non-empty, and If-Match matches any version.

    Instants are moved in invalid data, too, and that data stays invalid: no mailing
    may start while this runs, because it would go to all clients.
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
            # A random text is never a version: nearly every change would end with 412.
            case.headers["If-Match"] = "*"
        if case.headers.get("If-None-Match") == "":
            # The generator does not keep to the pattern here.
            case.headers["If-None-Match"] = '"none"'
        use_new_key(case)
    return case


def use_new_key(case):
    """Set a new key: a key belongs to one request, and no schema says which were used."""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def before_add_examples(context, examples):
    """Set new keys: the examples of an operation have one key for all of its bodies."""
    for case in examples:
        use_new_key(case)


@schemathesis.hook
def filter_case(context, case):
    """Leave out requests that LocalStack cannot forward.

    LocalStack parses a posted form and builds it again (restore_payload of its
    package rolo). A form without a boundary makes it fail with a 500 of its own, and one
    without a part with an empty 400. API Gateway does not read bodies. Tests in
    internal/api show what the function does with such forms, and that it does not read a
    body if the operation takes none.
    """
    if case.method != "POST":
        return True
    form = "multipart/form-data"
    return (case.headers or {}).get("Content-Type") != form and not (case.media_type == form and not case.body)
