package io.gatun.search;

import java.io.IOException;

/// A document or an index that cannot be read, or does not fit what is asked of it. The message
/// says where, what is wrong and what to do.
public final class SearchException extends RuntimeException {
  private static final long serialVersionUID = 1;

  SearchException(String message) {
    super(message);
  }

  SearchException(String message, Throwable cause) {
    super(message, cause);
  }

  /// A failure of the disk, or a damaged file.
  static SearchException of(Object where, IOException e) {
    return new SearchException("%s: %s".formatted(where, Reasons.of(e)), e);
  }
}
