package io.gatun.server.text;

import com.fasterxml.jackson.databind.node.ArrayNode;
import io.gatun.server.http.Fields;
import java.util.function.ToIntFunction;

/// Documents that questions are answered from.
public interface Library {
  /// A question with what may answer it.
  ///
  /// @param prompt numbered passages, and the question
  /// @param sources the passages; empty if none was found, and the prompt is the question alone
  record Grounded(String prompt, ArrayNode sources) {}

  /// A way to look for passages.
  interface Search {
    /// Finds what may answer a question.
    ///
    /// @param room the most tokens of the prompt
    /// @param tokens counts those of a text
    /// @throws IllegalArgumentException if there is no room for the question with one passage
    Grounded ground(String question, int room, ToIntFunction<String> tokens);
  }

  /// Reads a request's field `search`: true, false, or how to search; null if it asks for none.
  Search search(Fields f);
}
