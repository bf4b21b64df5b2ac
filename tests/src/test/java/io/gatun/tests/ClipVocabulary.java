package io.gatun.tests;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.zip.GZIPInputStream;

/// CLIP's vocabulary as checkpoints have it, from the file that it was published in.
final class ClipVocabulary {
  private static final Path PUBLISHED =
      TestData.ROOT.resolve(
          "models/src/main/resources/io/gatun/models/text/bpe_simple_vocab_16e6.txt.gz");
  private static final int MERGES = 49152 - 256 - 2;

  private ClipVocabulary() {}

  /// Writes `vocab.json` and `merges.txt`, numbered as simple_tokenizer.py does it: the bytes, the
  /// bytes that end a word, the merges, two marks.
  static void write(Path folder) throws IOException {
    List<String> merges;
    try (var lines =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(Files.newInputStream(PUBLISHED)), StandardCharsets.UTF_8))) {
      merges = lines.lines().skip(1).limit(MERGES).toList();
    }
    var pieces = new ArrayList<String>(bytes());
    pieces.replaceAll(b -> b + "</w>");
    pieces.addAll(0, bytes());
    merges.forEach(m -> pieces.add(m.replace(" ", "")));
    pieces.addAll(List.of("<|startoftext|>", "<|endoftext|>"));
    var vocabulary = new LinkedHashMap<String, Integer>();
    pieces.forEach(piece -> vocabulary.put(piece, vocabulary.size()));
    new ObjectMapper().writeValue(folder.resolve("vocab.json").toFile(), vocabulary);
    Files.writeString(
        folder.resolve("merges.txt"), "#version: 0.2\n" + String.join("\n", merges) + "\n");
  }

  /// A character for each byte; those that cannot be seen get others, behind them.
  private static List<String> bytes() {
    var seen = new ArrayList<String>();
    int unseen = 0;
    var others = new ArrayList<String>();
    for (int b = 0; b < 256; b++) {
      if ((b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xFF && b != 0xAD)) {
        seen.add(Character.toString(b));
      } else {
        others.add(Character.toString(256 + unseen++));
      }
    }
    seen.addAll(others);
    return seen;
  }
}
