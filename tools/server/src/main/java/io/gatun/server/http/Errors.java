package io.gatun.server.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.engine.ContextExceededException;
import io.gatun.models.engine.EngineFullException;
import io.gatun.models.image.ImageException;
import java.util.concurrent.CancellationException;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Errors as programs are told of them, in the form of the API that they asked.
public final class Errors {
  private static final Logger LOG = LoggerFactory.getLogger(Errors.class);

  /// Where the paths of Ollama's API begin.
  private static final String OLLAMA = "/api/";

  private Errors() {}

  /// What went wrong, as something to tell: failures of ours are logged, and told without details.
  public static ApiException of(Throwable cause) {
    return switch (cause) {
      case ApiException e -> e;
      case ContextExceededException e ->
          ApiException.of(HttpStatus.BAD_REQUEST_400, "context_length_exceeded", e.getMessage());
      case EngineFullException e ->
          ApiException.of(HttpStatus.TOO_MANY_REQUESTS_429, "queue_full", e.getMessage());
      case ConstraintException e -> ApiException.invalid("response_format", e.getMessage());
      case ImageException e -> ApiException.invalid("image", e.getMessage());
      case HttpException e ->
          ApiException.of(e.getCode(), "invalid_request", String.valueOf(e.getReason()));
      case IllegalArgumentException e when e.getMessage() != null ->
          ApiException.invalid(null, e.getMessage());
      case CancellationException _ ->
          ApiException.of(HttpStatus.SERVICE_UNAVAILABLE_503, "cancelled", "it was cancelled");
      case InterruptedException _ ->
          ApiException.of(HttpStatus.SERVICE_UNAVAILABLE_503, "closing", "the server is closing");
      case CheckpointException e -> {
        LOG.warn("a model fails: {}", e.getMessage());
        yield ApiException.of(HttpStatus.INTERNAL_SERVER_ERROR_500, "model_error", e.getMessage());
      }
      case OutOfMemoryError e -> {
        LOG.error("out of memory", e);
        yield ApiException.of(
            HttpStatus.SERVICE_UNAVAILABLE_503,
            "out_of_memory",
            "there is not enough memory for this request now: try again later, or with less");
      }
      default -> {
        LOG.error("a request failed", cause);
        yield ApiException.of(
            HttpStatus.INTERNAL_SERVER_ERROR_500,
            "internal_error",
            "the server failed; its log says more");
      }
    };
  }

  /// The body: Ollama's form for its paths, else OpenAI's.
  public static ObjectNode body(String path, ApiException e) {
    var body = JsonNodeFactory.instance.objectNode();
    if (path.startsWith(OLLAMA)) {
      return body.put("error", e.getMessage());
    }
    body.putObject("error")
        .put("message", e.getMessage())
        .put("type", type(e.status()))
        .put("param", e.field())
        .put("code", e.code());
    return body;
  }

  private static String type(int status) {
    return switch (status) {
      case HttpStatus.UNAUTHORIZED_401 -> "authentication_error";
      case HttpStatus.FORBIDDEN_403 -> "permission_error";
      case HttpStatus.NOT_FOUND_404 -> "not_found_error";
      case HttpStatus.TOO_MANY_REQUESTS_429 -> "rate_limit_error";
      default -> status < 500 ? "invalid_request_error" : "server_error";
    };
  }
}
