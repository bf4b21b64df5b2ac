package io.gatun.server.http;

import org.eclipse.jetty.http.HttpStatus;

/// A request that is not answered as it was meant: the status says whose fault it is, the message
/// what was found, what is needed and what to do next.
public final class ApiException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;
  private final String code;
  private final String field;

  private ApiException(int status, String code, String field, String message) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }

  public static ApiException invalid(String field, String message) {
    return new ApiException(HttpStatus.BAD_REQUEST_400, "invalid_value", field, message);
  }

  public static ApiException of(int status, String code, String message) {
    return new ApiException(status, code, null, message);
  }

  public static ApiException of(int status, String code, String field, String message) {
    return new ApiException(status, code, field, message);
  }

  int status() {
    return status;
  }

  /// A word for programs: `context_length_exceeded`.
  String code() {
    return code;
  }

  /// The field of the request that it is about, or null.
  String field() {
    return field;
  }
}
