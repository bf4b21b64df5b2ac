package io.gatun.search;

import java.util.Objects;

/// A text that is to be found.
///
/// @param source what it is known by: one source has one text, and another of that source takes its
///   place
/// @param text what it says
public record Document(String source, String text) {
  /// @throws NullPointerException if one is null
  /// @throws IllegalArgumentException if the source is empty or longer than 8,000 characters
  public Document {
    Objects.requireNonNull(source, "the document's source is null");
    Objects.requireNonNull(text, "the document's text is null");
    if (source.isEmpty() || source.length() > 8000) {
      throw new IllegalArgumentException(
          "a document's source has %,d characters; need 1 to 8,000: a path, a URL or a number"
              .formatted(source.length()));
    }
  }
}
