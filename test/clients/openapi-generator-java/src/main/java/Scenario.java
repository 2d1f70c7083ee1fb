import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.ClientsApi;
import org.openapitools.client.api.MailingsApi;
import org.openapitools.client.model.*;

/** The scenario of test/clients with what openapi-generator makes for Java. */
public class Scenario {
  static final String PHONES = System.getenv("PHONES");
  static MailingsApi mailings;

  interface Call {
    void run() throws ApiException;
  }

  static void check(boolean ok, Object said) {
    if (!ok) {
      throw new IllegalStateException(String.valueOf(said));
    }
  }

  /** Returns the error of a call, which must have the status. */
  static ApiException refused(int status, Call call) {
    try {
      call.run();
    } catch (ApiException e) {
      check(e.getCode() == status, e);
      return e;
    }
    throw new IllegalStateException("not refused with " + status);
  }

  /** Creates a mailing, reads it, and sends it back with its ETag and with the one before. */
  static Long mailing(WindowBody window) throws Exception {
    Mailing created = mailings.createMailing(new MailingBody()
        .text("Hello").startAt(OffsetDateTime.parse("2090-01-02T03:04:05Z")).endAt(OffsetDateTime.parse("2091-01-02T03:04:05Z"))
        .filter(new FilterBody().tags(List.of("absent"))).window(window), null);
    ApiResponse<Mailing> read = mailings.getMailingWithHttpInfo(created.getId());
    Mailing m = read.getData();
    check((m.getWindow() == null) == (window == null) && m.getStartAt().getYear() == 2090, m);
    String etag = read.getHeaders().entrySet().stream().filter(h -> h.getKey().equalsIgnoreCase("ETag")).findFirst().get().getValue().get(0);
    // The answer may have fields that a request must not have, so the body names its own.
    MailingBody again = new MailingBody().text("Hello!").startAt(m.getStartAt()).endAt(m.getEndAt())
        .filter(new FilterBody().operatorCodes(m.getFilter().getOperatorCodes()).tags(m.getFilter().getTags()))
        .window(m.getWindow() == null ? null : new WindowBody().from(m.getWindow().getFrom()).to(m.getWindow().getTo()));
    Mailing put = mailings.replaceMailing(m.getId(), again, etag);
    check(put.getText().equals("Hello!") && put.getVersion() == m.getVersion() + 1 && (put.getWindow() == null) == (window == null), put);
    refused(412, () -> mailings.replaceMailing(m.getId(), again, etag));
    return m.getId();
  }

  public static void main(String[] args) throws Exception {
    ApiClient api = new ApiClient();
    api.setBasePath(System.getenv("BASE"));
    api.setBearerToken(System.getenv("KEY"));
    ClientsApi clients = new ClientsApi(api);
    mailings = new MailingsApi(api);

    DirectoryClient client = clients.createClient(new ClientBody().phone(PHONES + "0").tag(PHONES).timezone("Europe/Moscow"), null);
    check(client.getOperatorCode().equals(PHONES.substring(1, 4)), client);

    List<Long> ids = List.of(mailing(null), mailing(new WindowBody().from("09:00").to("21:00")));

    Set<Long> found = new HashSet<>();
    String cursor = null;
    do {
      ListMailing page = mailings.listMailings(1L, cursor, null);
      page.getItems().forEach(m -> found.add(m.getId()));
      cursor = page.getNextCursor();
    } while (cursor != null);
    check(found.containsAll(ids), found);
    for (Long id : ids) {
      mailings.deleteMailing(id, null);
    }

    ApiException refused = refused(422, () -> clients.createClient(new ClientBody().phone(PHONES + "9").timezone("Mars/Base"), null));
    Problem problem = Problem.fromJson(refused.getResponseBody());
    check(problem.getErrors().get(0).getLocation().equals("body.timezone"), problem);

    File rows = Files.writeString(Path.of("clients.csv"), String.format("phone,tag,timezone\n%1$s1,%1$s,UTC\n7,,UTC\n%1$s2,%1$s,UTC\n", PHONES)).toFile();
    for (long created : new long[] {2, 0}) {
      Imported done = clients.importClients(rows, null);
      check(done.getCreated() == created && done.getRejected() == 1 && done.getRows().get(0).getLine() == 3, done);
    }
    check(clients.exportClients(null, null, PHONES + "1", null, null).contains(PHONES + "1"), "export");
    System.out.println("passed");
    System.exit(0); // threads of okhttp would live on for a while
  }
}
