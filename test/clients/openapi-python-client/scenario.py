"""The scenario of test/clients with the package that openapi-python-client makes."""

import datetime
import os
from io import BytesIO

from made import AuthenticatedClient
from made.api.clients import create_client, export_clients, import_clients
from made.api.mailings import create_mailing, delete_mailing, get_mailing, list_mailings, replace_mailing
from made.models import ClientBody, ClientFile, DirectoryClient, FilterBody, Imported, Mailing, MailingBody, Problem, WindowBody
from made.types import UNSET, File

PHONES = os.environ["PHONES"]
api = AuthenticatedClient(base_url=os.environ["BASE"], token=os.environ["KEY"])


def instant(year):
    return datetime.datetime(year, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def mailing(window):
    """Create a mailing, read it, and send it back with its ETag and with the one before."""
    body = MailingBody(text="Hello", start_at=instant(2090), end_at=instant(2091), filter_=FilterBody(tags=["absent"]), window=window)
    created = create_mailing.sync(client=api, body=body)
    assert isinstance(created, Mailing), created
    read = get_mailing.sync_detailed(created.id, client=api)
    m, etag = read.parsed, read.headers["ETag"]
    assert isinstance(m, Mailing) and m.start_at == instant(2090), read
    assert (m.window is None) == (window is None), m.window

    again = MailingBody.from_dict(m.to_dict())
    again.text = "Hello!"
    put = replace_mailing.sync(m.id, client=api, body=again, if_match=etag)
    assert isinstance(put, Mailing) and put.text == "Hello!" and put.version == m.version + 1 and put.window == m.window, put
    stale = replace_mailing.sync_detailed(m.id, client=api, body=again, if_match=etag)
    assert stale.status_code == 412 and isinstance(stale.parsed, Problem), stale
    return m.id


client = create_client.sync(client=api, body=ClientBody(phone=PHONES + "0", tag=PHONES, timezone="Europe/Moscow"))
assert isinstance(client, DirectoryClient) and client.operator_code == PHONES[1:4], client

ids = [mailing(None), mailing(WindowBody(from_="09:00", to="21:00"))]

found, cursor = set(), UNSET
while True:
    page = list_mailings.sync(client=api, limit=1, cursor=cursor)
    found |= {m.id for m in page.items}
    if not page.next_cursor:
        break
    cursor = page.next_cursor
assert found >= set(ids), (found, ids)
for one in ids:
    assert delete_mailing.sync_detailed(one, client=api).status_code == 204

refused = create_client.sync(client=api, body=ClientBody(phone=PHONES + "9", timezone="Mars/Base"))
assert isinstance(refused, Problem) and refused.errors[0].location == "body.timezone", refused

ROWS = f"phone,tag,timezone\n{PHONES}1,{PHONES},UTC\n7,,UTC\n{PHONES}2,{PHONES},UTC\n".encode()
for created in (2, 0):
    done = import_clients.sync(client=api, body=ClientFile(file=File(payload=BytesIO(ROWS), file_name="clients.csv", mime_type="text/csv")))
    assert isinstance(done, Imported) and done.created == created and done.rejected == 1 and done.rows[0].line == 3, done
exported = export_clients.sync(client=api, phone=PHONES + "1")
assert isinstance(exported, str) and PHONES + "1" in exported, exported
print("passed")
