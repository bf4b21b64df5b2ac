package io.gatun.tests.hub;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A server that behaves as the hub does: repositories with commits, a paged list of files, small
/// files answered at once, large ones by a redirect to a second server with another port. Trouble
/// is made on demand.
public final class FakeHub implements AutoCloseable {
  private static final int CHUNK = 1 << 16;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern REVISION =
      Pattern.compile("/api/models/([^/]+/[^/]+)/revision/(.+)");
  private static final Pattern TREE = Pattern.compile("/api/models/([^/]+/[^/]+)/tree/([^/]+)");
  private static final Pattern FILE = Pattern.compile("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)");
  private static final Pattern LARGE = Pattern.compile(".*\\.(safetensors|gguf|bin|pth)");

  /// What goes wrong with one answer, which it may give itself.
  interface Trouble {
    /// Answers, or leaves that to the server.
    ///
    /// @return whether the answer was given
    boolean make(HttpExchange exchange) throws IOException;
  }

  /// One request, as it came.
  public record Asked(
      String server, String path, String token, String range, String proxyAuthorization) {}

  private record Content(byte[] bytes, String hash) {}

  private final HttpServer hub;
  private final HttpServer store;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Map<String, Map<String, Map<String, Content>>> commits = new ConcurrentHashMap<>();
  private final Map<String, String> heads = new ConcurrentHashMap<>();
  private final Map<String, byte[]> contents = new ConcurrentHashMap<>();
  private final Map<String, Queue<Trouble>> troubles = new ConcurrentHashMap<>();
  public final Queue<Asked> asked = new ConcurrentLinkedQueue<>();

  /// Entries on a page of a list.
  int page = 1000;

  /// The size of large files, as the list has it, if it is not their own.
  long claimedSize;

  /// Whether the store gives parts of files.
  boolean ranges = true;

  public FakeHub() {
    hub = server(this::answer);
    store = server(this::give);
  }

  private HttpServer server(com.sun.net.httpserver.HttpHandler handler) {
    try {
      var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      server.setExecutor(threads);
      server.createContext(
          "/",
          exchange -> {
            try (exchange) {
              handler.handle(exchange);
            }
          });
      server.start();
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String address(HttpServer server) {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  public URI endpoint() {
    return URI.create(address(hub));
  }

  /// Makes a repository, or a new commit of it; gives the commit.
  public String commit(String repository, Map<String, byte[]> files) {
    var sorted = new TreeMap<String, Content>();
    files.forEach((path, bytes) -> sorted.put(path, new Content(bytes, hash(path, bytes))));
    var text = new StringBuilder(repository);
    sorted.forEach((path, content) -> text.append(path).append(content.hash));
    String commit = hex("SHA-1", text.toString().getBytes(StandardCharsets.UTF_8));
    commits.computeIfAbsent(repository, _ -> new ConcurrentHashMap<>()).put(commit, sorted);
    heads.put(repository, commit);
    sorted.values().forEach(content -> contents.put(content.hash, content.bytes));
    return commit;
  }

  /// Lets the hub's answers go wrong, one after another: those to requests for a path that ends so.
  void trouble(String path, Trouble... made) {
    trouble("hub", path, made);
  }

  /// The same for answers of the store, which has the contents of large files.
  void storeTrouble(String path, Trouble... made) {
    trouble("store", path, made);
  }

  private void trouble(String server, String path, Trouble... made) {
    troubles
        .computeIfAbsent(server + path, _ -> new ConcurrentLinkedQueue<>())
        .addAll(List.of(made));
  }

  /// An answer with another status.
  static Trouble status(int status, String... headers) {
    return exchange -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(status, -1);
      return true;
    };
  }

  /// How often a file's contents were asked for.
  long asked(String path) {
    return asked.stream().filter(a -> a.path.endsWith(path)).count();
  }

  /// What the hub knows contents by.
  static String hash(String path, byte[] bytes) {
    if (LARGE.matcher(path).matches()) {
      return hex("SHA-256", bytes);
    }
    byte[] header = ("blob " + bytes.length + "\0").getBytes(StandardCharsets.US_ASCII);
    byte[] all = new byte[header.length + bytes.length];
    System.arraycopy(header, 0, all, 0, header.length);
    System.arraycopy(bytes, 0, all, header.length, bytes.length);
    return hex("SHA-1", all);
  }

  private static String hex(String algorithm, byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private boolean isTroubled(String server, HttpExchange exchange) throws IOException {
    var headers = exchange.getRequestHeaders();
    String path = exchange.getRequestURI().getPath();
    asked.add(
        new Asked(
            server,
            path,
            headers.getFirst("Authorization"),
            headers.getFirst("Range"),
            headers.getFirst("Proxy-Authorization")));
    for (var entry : troubles.entrySet()) {
      String of = entry.getKey();
      if (of.startsWith(server) && path.endsWith(of.substring(server.length()))) {
        var next = entry.getValue().poll();
        if (next != null) {
          return next.make(exchange);
        }
      }
    }
    return false;
  }

  private void answer(HttpExchange exchange) throws IOException {
    if (isTroubled("hub", exchange)) {
      return;
    }
    String path = exchange.getRequestURI().getPath();
    Matcher revision = REVISION.matcher(path);
    Matcher tree = TREE.matcher(path);
    Matcher file = FILE.matcher(path);
    if (revision.matches()) {
      revision(exchange, revision.group(1), revision.group(2));
    } else if (tree.matches()) {
      tree(exchange, tree.group(1), tree.group(2));
    } else if (file.matches()) {
      file(exchange, file.group(1), file.group(2), file.group(3));
    } else {
      status(404).make(exchange);
    }
  }

  private void revision(HttpExchange exchange, String repository, String revision)
      throws IOException {
    if (!heads.containsKey(repository)) {
      status(401, "X-Error-Code", "RepoNotFound").make(exchange);
      return;
    }
    boolean isCommit = commits.get(repository).containsKey(revision);
    if (!isCommit && !revision.equals("main")) {
      status(404, "X-Error-Code", "RevisionNotFound").make(exchange);
      return;
    }
    json(exchange, Map.of("id", repository, "sha", isCommit ? revision : heads.get(repository)));
  }

  private void tree(HttpExchange exchange, String repository, String commit) throws IOException {
    var all = new ArrayList<Map<String, Object>>();
    commits
        .get(repository)
        .get(commit)
        .forEach(
            (path, content) -> {
              int size = content.bytes.length;
              var entry = new LinkedHashMap<String, Object>();
              entry.put("type", "file");
              entry.put("path", path);
              entry.put("size", size);
              entry.put("oid", hex("SHA-1", path.getBytes(StandardCharsets.UTF_8)));
              if (LARGE.matcher(path).matches()) {
                entry.put(
                    "lfs",
                    Map.of(
                        "oid",
                        content.hash,
                        "size",
                        claimedSize > 0 ? claimedSize : size,
                        "pointerSize",
                        134));
              } else {
                entry.put("oid", content.hash);
              }
              all.add(entry);
            });
    all.add(Map.of("type", "directory", "path", "somewhere", "oid", "0", "size", 0));
    String query = exchange.getRequestURI().getQuery();
    int from = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    int to = Math.min(all.size(), from + page);
    if (to < all.size()) {
      String next =
          "%s%s?recursive=true&cursor=%d"
              .formatted(endpoint(), exchange.getRequestURI().getPath(), to);
      exchange.getResponseHeaders().set("Link", "<" + next + ">; rel=\"next\"");
    }
    json(exchange, all.subList(from, to));
  }

  private void file(HttpExchange exchange, String repository, String commit, String path)
      throws IOException {
    byte[] bytes = commits.get(repository).get(commit).get(path).bytes;
    String hash = commits.get(repository).get(commit).get(path).hash;
    var headers = exchange.getResponseHeaders();
    headers.set("X-Repo-Commit", commit);
    if (LARGE.matcher(path).matches()) {
      headers.set("X-Linked-Etag", "\"" + hash + "\"");
      headers.set("X-Linked-Size", String.valueOf(bytes.length));
      headers.set("Location", address(store) + "/" + hash + "/" + path);
      exchange.sendResponseHeaders(302, -1);
    } else {
      headers.set("ETag", "\"" + hash + "\"");
      boolean isHead = exchange.getRequestMethod().equals("HEAD");
      if (isHead) {
        headers.set("Content-Length", String.valueOf(bytes.length));
      }
      exchange.sendResponseHeaders(200, bytes.length == 0 || isHead ? -1 : bytes.length);
      if (!isHead) {
        exchange.getResponseBody().write(bytes);
      }
    }
  }

  /// The store's answer: `/HASH/PATH`.
  private void give(HttpExchange exchange) throws IOException {
    if (isTroubled("store", exchange)) {
      return;
    }
    String hash = exchange.getRequestURI().getPath().split("/", 3)[1];
    give(exchange, contents.get(hash), Integer.MAX_VALUE);
  }

  /// Some bytes, or the part that was asked for, cut after so many.
  void give(HttpExchange exchange, byte[] bytes, int most) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = 0;
    int to = bytes.length;
    if (range != null && ranges) {
      String[] ends = range.substring("bytes=".length()).split("-", -1);
      from = Integer.parseInt(ends[0]);
      to = !ends[1].isEmpty() ? Math.min(to, Integer.parseInt(ends[1]) + 1) : to;
      exchange
          .getResponseHeaders()
          .set("Content-Range", "bytes %d-%d/%d".formatted(from, to - 1, bytes.length));
      exchange.sendResponseHeaders(206, to - from);
    } else {
      exchange.sendResponseHeaders(200, bytes.length);
    }
    int end = from + Math.min(to - from, most);
    for (int at = from; at < end; at += CHUNK) { // the server copies what it is given
      exchange.getResponseBody().write(bytes, at, Math.min(CHUNK, end - at));
    }
    exchange.getResponseBody().flush();
  }

  /// An answer that ends after so many bytes.
  Trouble cut(byte[] bytes, int most) {
    return exchange -> {
      give(exchange, bytes, most);
      return true;
    };
  }

  private static void json(HttpExchange exchange, Object value) throws IOException {
    byte[] bytes = JSON.writeValueAsBytes(value);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
    threads.shutdownNow();
  }
}
