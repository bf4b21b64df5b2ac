package io.gatun.server;

import io.gatun.loaders.CheckpointException;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Bodies;
import io.gatun.server.http.Call;
import io.gatun.server.http.Disconnects;
import io.gatun.server.http.Guard;
import io.gatun.server.http.JsonErrors;
import io.gatun.server.http.RequestCounts;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.labelstudio.LabelStudio;
import io.gatun.server.models.Models;
import io.gatun.server.ollama.Ollama;
import io.gatun.server.openai.OpenAi;
import io.gatun.server.search.Documents;
import io.gatun.server.segmentation.Segmentations;
import io.gatun.server.web.Page;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.util.VirtualThreads;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/// Serves models over HTTP: the APIs of OpenAI and Ollama, segmentation, and a page to try it.
///
/// ```java
/// try (var server = Server.start(o -> o.model(Path.of("model.gguf")).port(8080))) {
///   System.out.println(server.uri());
///   server.join();
/// }
/// ```
public final class Server implements AutoCloseable {
  private static final int CONNECTIONS = 1024;

  private final org.eclipse.jetty.server.Server jetty;
  private final ServerConnector connector;
  private final GracefulHandler graceful = new GracefulHandler();
  private final Models models;
  private final Documents documents; // null for none
  private final Disconnects disconnects;

  private Server(ServerOptions options) {
    var settings = options.settings;
    Guard.check(settings);
    if (settings.index == null && settings.embedder != null) {
      throw new IllegalArgumentException(
          "an embedder is named, and no index that it belongs to; name the index, too");
    }
    try {
      if (settings.index != null) {
        Documents.addEmbedder(settings);
      }
      models = new Models(settings);
      documents = settings.index == null ? null : documents(settings);
    } catch (NoClassDefFoundError e) {
      throw new IllegalArgumentException(
          "an index is to be served, and the module io.gatun.search is not loaded; start it with"
              + " tools/gatun serve, or add gatun-search to the path (--add-modules"
              + " io.gatun.search)",
          e);
    }
    disconnects = new Disconnects();
    var pool = new QueuedThreadPool(32, 4);
    pool.setName("gatun-http");
    pool.setDaemon(true);
    pool.setVirtualThreadsExecutor(VirtualThreads.getNamedVirtualThreadsExecutor("gatun-http-"));
    jetty = new org.eclipse.jetty.server.Server(pool);
    var http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.setRequestHeaderSize(16 << 10);
    http.setMaxUnconsumedRequestContentReads(16);
    connector = new ServerConnector(jetty, 1, 1, new HttpConnectionFactory(http));
    connector.setHost(settings.host);
    connector.setPort(settings.port);
    connector.setIdleTimeout(settings.idle.toMillis());
    jetty.addConnector(connector);
    jetty.addBean(new NetworkConnectionLimit(CONNECTIONS, connector));
    graceful.setHandler(routes(settings));
    jetty.setHandler(graceful);
    jetty.setErrorHandler(new JsonErrors());
  }

  private Documents documents(Settings settings) {
    try {
      return Documents.open(models, settings);
    } catch (RuntimeException | Error e) {
      models.close();
      throw e;
    }
  }

  private Routes routes(Settings settings) {
    var counts = new RequestCounts();
    var routes =
        new Routes(
                new Guard(settings),
                new Bodies(settings.bodyLimit),
                disconnects,
                counts,
                Page::send)
            .get("/health", call -> call.send(Call.JSON.createObjectNode().put("status", "ok")))
            .get("/metrics", new Metrics(counts, models)::send);
    OpenAi.addTo(routes, models, settings, documents);
    if (documents == null) {
      routes.post("/v1/search", Server::refuseSearch).get("/v1/documents", Server::refuseSearch);
    } else {
      documents.addTo(routes);
    }
    Ollama.addTo(routes, models, settings);
    new Segmentations(models, settings).addTo(routes);
    new LabelStudio(models, settings).addTo(routes);
    return routes;
  }

  private static void refuseSearch(Call call) {
    throw ApiException.of(
        HttpStatus.NOT_FOUND_404,
        "no_index",
        "this server has no documents; start it with --index DIR, the folder of an index that gatun"
            + " index has made");
  }

  /// Listens, and answers until it is closed. Models are loaded when they are asked for.
  ///
  /// @throws CheckpointException if there is no such model
  /// @throws IllegalArgumentException if the options let in everyone, or do not fit together
  /// @throws IllegalStateException if it cannot listen there
  public static Server start(Consumer<ServerOptions> choose) {
    var options = new ServerOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    var server = new Server(options);
    try {
      server.jetty.start();
    } catch (Exception e) {
      server.close();
      throw new IllegalStateException(
          "cannot listen at %s, port %d: %s; choose another --port"
              .formatted(options.settings.host, options.settings.port, e.getMessage()),
          e);
    }
    return server;
  }

  /// Where it listens: `http://127.0.0.1:8080/`.
  public URI uri() {
    String host = connector.getHost();
    try {
      if (InetAddress.getByName(host).isAnyLocalAddress()) {
        host = "127.0.0.1";
      }
    } catch (UnknownHostException e) {
      throw new IllegalStateException(e);
    }
    return URI.create(
        "http://%s:%d/"
            .formatted(host.contains(":") ? "[" + host + "]" : host, connector.getLocalPort()));
  }

  /// Loads the first of the models that were named, which would else wait for its first request.
  ///
  /// @throws CheckpointException if it cannot be loaded
  public void preload() {
    var first = models.catalog().list().getFirst();
    try {
      models.lease(first.name(), first.use(), AutoCloseable.class).close();
    } catch (ApiException e) { // no room for it
      throw new CheckpointException(e.getMessage(), e);
    }
  }

  /// Waits until it is closed.
  ///
  /// @throws InterruptedException if the thread is interrupted
  public void join() throws InterruptedException {
    jetty.join();
  }

  /// Takes no more requests, and waits until those that came are answered.
  ///
  /// @return whether they are, within that time
  /// @throws InterruptedException if the thread is interrupted
  public boolean drain(Duration atMost) throws InterruptedException {
    CompletableFuture<Void> idle =
        CompletableFuture.allOf(connector.shutdown(), graceful.shutdown());
    try {
      idle.get(atMost.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException | ExecutionException e) {
      return false;
    }
  }

  /// Ends all answers and gives back all memory; a second call does nothing.
  @Override
  public void close() {
    models.close();
    if (documents != null) {
      documents.close();
    }
    try {
      jetty.stop();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    disconnects.close();
  }

  @Override
  public String toString() {
    return "Server(" + uri() + ", " + HttpVersion.HTTP_1_1.asString() + ")";
  }
}
