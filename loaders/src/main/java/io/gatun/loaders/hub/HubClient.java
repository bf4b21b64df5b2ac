package io.gatun.loaders.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/// Speaks the hub's protocol: what there is, and where. The token goes to the endpoint alone.
final class HubClient implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MAX_JSON = 64 << 20;
  private static final int MAX_PAGES = 1000;
  private static final int MAX_FILES = 100_000;
  private static final int MAX_REDIRECTS = 10;
  private static final Pattern NEXT = Pattern.compile("<([^>]+)>\\s*;[^,]*rel=\"?next\"?.*");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  private final HubOptions options;
  private final URI endpoint;
  private final String token;
  private final HubProxies proxies = new HubProxies();
  private final HttpClient http;

  HubClient(HubOptions options) {
    this.options = options;
    endpoint = options.endpoint();
    token = options.token();
    // A file is a stream: HTTP/2 would only share one connection among them.
    http =
        HttpClient.newBuilder()
            .proxy(proxies)
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(options.timeout)
            .build();
  }

  /// The commit that a revision means now.
  ///
  /// @throws CheckpointException if there is no such model or revision, or it cannot be asked for
  String commit(HubName name) {
    var uri =
        at("/api/models/%s/revision/%s".formatted(name.repository(), encoded(name.revision())));
    String commit = json(name, uri).json().path("sha").asText();
    if (!COMMIT.matcher(commit).matches()) {
      throw noHub(uri, "its answer names no commit");
    }
    return commit;
  }

  /// All files of a commit.
  ///
  /// @throws CheckpointException if they cannot be listed
  List<RepoFile> files(HubName name, String commit) {
    var files = new ArrayList<RepoFile>();
    var uri = at("/api/models/%s/tree/%s?recursive=true".formatted(name.repository(), commit));
    for (int page = 0; uri != null; page++) {
      var answer = json(name, uri);
      for (JsonNode entry : answer.json()) {
        if (entry.path("type").asText().equals("file")) {
          files.add(file(uri, entry));
        }
      }
      if (page > MAX_PAGES || files.size() > MAX_FILES) {
        throw noHub(uri, "its list of files has no end");
      }
      uri = answer.next();
      if (uri != null && !isEndpoint(uri)) {
        throw noHub(uri, "its list of files goes on at another host");
      }
    }
    return files;
  }

  private static RepoFile file(URI uri, JsonNode entry) {
    var large = entry.path("lfs");
    boolean isLarge = large.isObject();
    long size = (isLarge ? large : entry).path("size").asLong(-1);
    String etag = (isLarge ? large : entry).path("oid").asText().replaceFirst("^sha256:", "");
    String path = entry.path("path").asText();
    if (path.isEmpty() || size < 0 || !RepoFile.isHash(etag)) {
      throw noHub(uri, "its list of files has an entry without path, size or hash");
    }
    return new RepoFile(path, size, etag);
  }

  /// Where a file's contents are.
  URI address(HubName name, String commit, RepoFile file) {
    var path = new StringBuilder();
    for (String part : file.path().split("/", -1)) {
      path.append('/').append(encoded(part));
    }
    return at("/%s/resolve/%s%s".formatted(name.repository(), commit, path));
  }

  private URI at(String path) {
    return URI.create(endpoint.toString().replaceFirst("/+$", "") + path);
  }

  private static String encoded(String part) {
    return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private record Answer(JsonNode json, URI next) {}

  private Answer json(HubName name, URI uri) {
    var tries = new Tries(options, name.repository());
    while (true) {
      try {
        var response =
            send(uri, null, BodyHandlers.limiting(BodyHandlers.ofByteArray(), MAX_JSON))
                .get(options.timeout.toMillis(), TimeUnit.MILLISECONDS);
        if (response.statusCode() == 200) {
          var next =
              response.headers().allValues("Link").stream()
                  .map(NEXT::matcher)
                  .filter(java.util.regex.Matcher::matches)
                  .map(link -> uri.resolve(link.group(1)))
                  .findFirst();
          return new Answer(JSON.readTree(response.body()), next.orElse(null));
        }
        tries.refused(Refusals.of(name, response, this), response);
      } catch (TimeoutException e) {
        tries.failed(new IOException("no answer within " + options.timeout.toSeconds() + " s", e));
      } catch (InterruptedException e) {
        throw interrupted(e);
      } catch (ExecutionException e) {
        tries.failed(cause(e));
      } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
        throw noHub(uri, "its answer is not JSON");
      } catch (IOException e) {
        tries.failed(e);
      }
    }
  }

  IOException cause(ExecutionException e) {
    String proxy = proxies.name(endpoint);
    if (proxy != null && e.getCause() instanceof ConnectException) {
      return new IOException("the proxy %s cannot be reached".formatted(proxy), e);
    }
    return e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
  }

  static CancellationException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return (CancellationException) new CancellationException("interrupted").initCause(e);
  }

  /// Asks for an address and goes where it leads, but tells nobody else the token.
  ///
  /// @param range what of it, or null for all
  <T> Call<T> send(URI uri, String range, BodyHandler<T> handler) {
    return new Call<>(uri, range, handler);
  }

  /// A request under way, with those that it was led on to.
  final class Call<T> {
    private final String range;
    private final BodyHandler<T> handler;
    private URI uri;
    private java.util.concurrent.CompletableFuture<HttpResponse<T>> current;
    private String etag;
    private int redirects;

    private Call(URI uri, String range, BodyHandler<T> handler) {
      this.uri = uri;
      this.range = range;
      this.handler = handler;
      begin();
    }

    private void begin() {
      var request =
          HttpRequest.newBuilder(uri).timeout(options.timeout).header("User-Agent", "gatun");
      if (range != null) {
        request.header("Range", range);
      }
      if (token != null && isEndpoint(uri)) {
        request.header("Authorization", "Bearer " + token);
      }
      String proxy = proxies.authorization(uri);
      if (proxy != null) {
        request.header("Proxy-Authorization", proxy);
      }
      current = http.sendAsync(request.build(), handler);
    }

    /// The last answer, if it comes in time: a [TimeoutException] changes nothing.
    HttpResponse<T> get(long time, TimeUnit unit)
        throws InterruptedException, ExecutionException, TimeoutException, IOException {
      while (true) {
        var response = current.get(time, unit);
        response.headers().firstValue("X-Linked-Etag").ifPresent(value -> etag = value);
        int status = response.statusCode();
        var location = response.headers().firstValue("Location");
        if (status < 301 || status > 308 || status == 304 || location.isEmpty()) {
          return response;
        }
        var next = uri.resolve(location.get());
        boolean safe = Objects.equals(next.getScheme(), "https") || !isSecure(uri);
        if (++redirects > MAX_REDIRECTS || next.getHost() == null || !safe) {
          throw noHub(uri, "it leads on to " + next.getScheme() + "://" + next.getHost());
        }
        uri = next;
        begin();
      }
    }

    /// The hash that the hub says the contents have; null where it does not.
    String etag() {
      return etag == null ? null : etag.replaceFirst("^W/", "").replace("\"", "");
    }

    void cancel() {
      current.cancel(true);
    }
  }

  private static boolean isSecure(URI uri) {
    return "https".equals(uri.getScheme());
  }

  private boolean isEndpoint(URI uri) {
    return endpoint.getScheme().equals(uri.getScheme())
        && endpoint.getHost().equalsIgnoreCase(uri.getHost())
        && port(endpoint) == port(uri);
  }

  private static int port(URI uri) {
    return uri.getPort() >= 0 ? uri.getPort() : isSecure(uri) ? 443 : 80;
  }

  private static CheckpointException noHub(URI uri, String why) {
    return new CheckpointException(
        "%s://%s does not behave as the hub does: %s. If HF_ENDPOINT is set, see whether it names a hub; a proxy or a log-in page of the network may answer instead of it"
            .formatted(uri.getScheme(), uri.getAuthority(), why));
  }

  /// Whether there is a token.
  boolean hasToken() {
    return token != null;
  }

  /// The endpoint, for people.
  String home() {
    return endpoint.toString().replaceFirst("/+$", "");
  }

  /// Ends what is under way.
  @Override
  public void close() {
    http.shutdownNow();
  }
}
