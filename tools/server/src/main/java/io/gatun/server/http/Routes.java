package io.gatun.server.http;

import io.gatun.server.http.RequestCounts.Running;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.QuietException;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Which path is answered by what. Errors are told in the form of the API that was asked.
public final class Routes extends Handler.Abstract {
  private static final Logger LOG = LoggerFactory.getLogger(Routes.class);

  /// Answers one kind of request.
  public interface Endpoint {
    void answer(Call call) throws Exception;
  }

  /// Answers with a file, if there is one at the request's path.
  public interface Files {
    /// Sends it.
    ///
    /// @return whether there is one
    boolean send(Call call) throws IOException;
  }

  private final Map<String, Endpoint> gets = new HashMap<>();
  private final Map<String, Endpoint> posts = new HashMap<>();
  private final Guard guard;
  private final Bodies bodies;
  private final Disconnects disconnects;
  private final RequestCounts counts;
  private final Files files;

  public Routes(
      Guard guard, Bodies bodies, Disconnects disconnects, RequestCounts counts, Files files) {
    this.guard = guard;
    this.bodies = bodies;
    this.disconnects = disconnects;
    this.counts = counts;
    this.files = files;
  }

  public Routes get(String path, Endpoint endpoint) {
    gets.put(path, endpoint);
    return this;
  }

  public Routes post(String path, Endpoint endpoint) {
    posts.put(path, endpoint);
    return this;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    // A request may wait longer for its turn than a connection may stand still.
    request.addIdleTimeoutListener(_ -> false);
    secure(response);
    try (var call = new Call(request, response, bodies, disconnects)) {
      answer(call, callback);
    }
    return true;
  }

  private static void secure(Response response) {
    response.getHeaders().put("X-Content-Type-Options", "nosniff");
    response.getHeaders().put("Referrer-Policy", "no-referrer");
    response.getHeaders().put("Cross-Origin-Resource-Policy", "same-origin");
  }

  private void answer(Call call, Callback callback) {
    try {
      route(call);
      callback.succeeded();
    } catch (Throwable e) {
      if (isDisconnect(e)) {
        LOG.debug("the client went away", e);
        callback.failed(e);
      } else {
        tell(call, callback, Errors.of(e));
      }
    }
  }

  private static boolean isDisconnect(Throwable e) {
    return e instanceof EOFException || e instanceof QuietException || e instanceof IOException;
  }

  private void tell(Call call, Callback callback, ApiException e) {
    counts.error(e.status());
    if (call.isCommitted()) {
      // Too late to say so: the connection ends before the answer does, which a client notices.
      callback.failed(e);
      return;
    }
    try {
      call.response().reset();
      secure(call.response());
      if (e.status() == HttpStatus.METHOD_NOT_ALLOWED_405) {
        call.response().getHeaders().put(HttpHeader.ALLOW, allowed(call.path()));
      }
      if (e.status() == HttpStatus.TOO_MANY_REQUESTS_429
          || e.status() == HttpStatus.SERVICE_UNAVAILABLE_503) {
        call.response().getHeaders().put(HttpHeader.RETRY_AFTER, "1");
      }
      if (e.status() == HttpStatus.UNAUTHORIZED_401) {
        call.response().getHeaders().put(HttpHeader.WWW_AUTHENTICATE, "Bearer");
      }
      call.send(e.status(), Call.JSON_TYPE, Call.bytes(Errors.body(call.path(), e)));
      callback.succeeded();
    } catch (IOException | RuntimeException failed) {
      callback.failed(failed);
    }
  }

  private void route(Call call) throws Exception {
    String path = call.path();
    String method = call.request().getMethod();
    boolean reads = method.equals("GET") || method.equals("HEAD");
    boolean known = gets.containsKey(path) || posts.containsKey(path);
    // What the page consists of, and whether the server is up, are no secrets.
    guard.admit(call.request(), known && !path.equals("/health"));
    var endpoint = (reads ? gets : posts).get(path);
    if (endpoint != null && (reads || method.equals("POST"))) {
      try (Running _ = counts.begin(path)) {
        endpoint.answer(call);
      }
    } else if (known) {
      throw ApiException.of(
          HttpStatus.METHOD_NOT_ALLOWED_405,
          "method_not_allowed",
          "%s is asked by %s, not %s".formatted(path, allowed(path), method));
    } else if (!reads || !files.send(call)) {
      throw ApiException.of(
          HttpStatus.NOT_FOUND_404, "not_found", "there is nothing at " + method + " " + path);
    }
  }

  private String allowed(String path) {
    return !posts.containsKey(path) ? "GET" : gets.containsKey(path) ? "GET, POST" : "POST";
  }
}
