package io.gatun.models;

import io.gatun.models.pipeline.Condition;
import io.gatun.models.pipeline.TextConditions;
import io.gatun.tensor.ops.Functional;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The conditions of prompts that were read lately.
final class PromptCache {
  private static final int MOST = 8;

  /// Prompts that were read together, and how.
  private record Key(List<String> prompts, TextConditions.Reading how) {}

  private final Map<Key, List<Condition>> latest =
      new LinkedHashMap<>(2 * MOST, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, List<Condition>> eldest) {
          return size() > MOST;
        }
      };

  /// What `text` makes of prompts, or made of them before.
  List<Condition> encode(
      Functional f, TextConditions text, List<String> prompts, TextConditions.Reading how) {
    var key = new Key(prompts, how);
    var known = latest.get(key);
    if (known == null) {
      known = text.encode(f, prompts, how);
      latest.put(key, known);
    }
    return known;
  }
}
