"""The scenario of test/clients with the package that openapi-generator makes for Python."""

import datetime
import os

from openapi_client import ApiClient, ApiException, ClientBody, ClientsApi, Configuration, FilterBody, MailingBody, MailingsApi, WindowBody

PHONES = os.environ["PHONES"]
api = ApiClient(Configuration(host=os.environ["BASE"], access_token=os.environ["KEY"]))
clients, mailings = ClientsApi(api), MailingsApi(api)


def instant(year):
    return datetime.datetime(year, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def refused(status, call, *args, **more):
    """Return the error of a call, which must have the status."""
    try:
        call(*args, **more)
    except ApiException as e:
        assert e.status == status, e
        return e
    raise AssertionError(f"not refused with {status}")


def mailing(window):
    """Create a mailing, read it, and send it back with its ETag and with the one before."""
    body = MailingBody(text="Hello", start_at=instant(2090), end_at=instant(2091), filter=FilterBody(tags=["absent"]), window=window)
    created = mailings.create_mailing(body)
    read = mailings.get_mailing_with_http_info(created.id)
    # The case of a header's name may be another one.
    m, etag = read.data, {name.lower(): value for name, value in read.headers.items()}["etag"]
    assert m.start_at == instant(2090) and (m.window is None) == (window is None), m
    again = MailingBody.from_json(m.to_json())
    again.text = "Hello!"
    put = mailings.replace_mailing(m.id, again, if_match=etag)
    assert put.text == "Hello!" and put.version == m.version + 1 and put.window == m.window, put
    refused(412, mailings.replace_mailing, m.id, again, if_match=etag)
    return m.id


client = clients.create_client(ClientBody(phone=PHONES + "0", tag=PHONES, timezone="Europe/Moscow"))
assert client.operator_code == PHONES[1:4], client

ids = [mailing(None), mailing(WindowBody(**{"from": "09:00", "to": "21:00"}))]

found, cursor = set(), None
while True:
    page = mailings.list_mailings(limit=1, cursor=cursor)
    found |= {m.id for m in page.items}
    cursor = page.next_cursor
    if not cursor:
        break
assert found >= set(ids), (found, ids)
for one in ids:
    mailings.delete_mailing(one)

problem = refused(422, clients.create_client, ClientBody(phone=PHONES + "9", timezone="Mars/Base")).data
assert problem.errors[0].location == "body.timezone", problem

ROWS = f"phone,tag,timezone\n{PHONES}1,{PHONES},UTC\n7,,UTC\n{PHONES}2,{PHONES},UTC\n".encode()
for created in (2, 0):
    done = clients.import_clients(file=("clients.csv", ROWS))
    assert done.created == created and done.rejected == 1 and done.rows[0].line == 3, done
assert PHONES + "1" in clients.export_clients(phone=PHONES + "1")
print("passed")
