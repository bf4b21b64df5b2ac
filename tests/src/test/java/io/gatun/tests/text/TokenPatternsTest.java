package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The patterns in the program that cut texts into words.
class TokenPatternsTest {
  /// An editor or a tool that normalizes Unicode turns literals into other characters without a
  /// word. Texts that only the tokenizers' forms are tried on may be what they like.
  @Test
  void literalsAreAscii() throws Exception {
    var wrong = new ArrayList<String>();
    for (String module :
        List.of("ffm-bindings", "tensor", "loaders", "models", "tools", "tools/server")) {
      try (var files = Files.walk(TestData.ROOT.resolve(module).resolve("src/main/java"))) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
          String source = Files.readString(file);
          if (!Normalizer.isNormalized(source, Normalizer.Form.NFC)) {
            wrong.add(file + " is not in NFC");
          }
          source
              .lines()
              .filter(line -> !file.endsWith("GgufVocabulary.java"))
              .filter(line -> !line.strip().startsWith("//"))
              .filter(line -> line.chars().anyMatch(c -> c > 127))
              .forEach(line -> wrong.add(file + ": " + line.strip()));
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void everyNamedPatternWorks() {
    var metadata =
        Map.<String, Object>of(
            "tokenizer.ggml.model", "gpt2",
            "tokenizer.ggml.tokens", List.of("a", "b", "ab"),
            "tokenizer.ggml.merges", List.of("a b"));
    var unknown = new HashMap<>(metadata);
    unknown.put("tokenizer.ggml.pre", "nobody's");
    String names =
        assertThrows(CheckpointException.class, () -> Tokenizers.load(Path.of("x.gguf"), unknown))
            .getMessage()
            .replaceFirst(".*Gatun has ", "");
    List<String> all = List.of(names.split(", ", -1));
    assertTrue(all.size() >= 40 && all.contains("deepseek-llm"), names);
    for (String name : all) {
      var known = new HashMap<>(metadata);
      known.put("tokenizer.ggml.pre", name);
      Tokenizer tokenizer = Tokenizers.load(Path.of("x.gguf"), known);
      assertArrayEquals(new int[] {2}, tokenizer.encode("ab", false, false), name);
    }
  }
}
