package io.gatun.models.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonTree;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A model directory's tokenizer as the metadata of a GGUF file (keys `tokenizer.*`).
///
/// GGUF names its pre-tokenizers and keeps no patterns, so the right name is found by trying: what
/// is written gives, read back, the same tokens for a text full of what tokenizers differ in.
public final class GgufVocabulary {
  private static final String PREFIX = "tokenizer.ggml.";

  private static final List<String> PROBES =
      List.of(
          "Hello, world! It's we'LL you're I'M don't o'clock (e.g. 3.14, 1,234,567.89)",
          "1 12 123 1234 12345 007 x2 2x v1.0 ½ ² Ⅷ ٣٤٥",
          "  two  spaces   three\ttab \t mixed\n\nnew\r\nlines \n  indented\n\n\n end  ",
          "Ünïcödé naïve e\u0301 straße ÆØÅ русский язык ελληνικά 中文字符 日本語テキスト 한국어 ไทย हिन्दी",
          "camelCase HTTPServer snake_case kebab-case a+b=c {x: [1]} <tag/> #hash @user $5 100% ..."
              + " --- !!",
          "😀👩‍👩‍👧 \u00a0nbsp\u200bzero \u3000wide “quotes” ‘single’ —dash… /path\\to"
              + " https://x.y/z?q=1");

  private GgufVocabulary() {}

  /// The tokenizer that [Tokenizers#load] finds for the model, and its chat template.
  ///
  /// @param size the rows of the embedding table: ids beyond the vocabulary become unused tokens
  /// @throws CheckpointException if there is none, or GGUF has no form for it
  public static Map<String, Object> metadata(Path model, int size) {
    Path file =
        Tokenizers.file(model)
            .orElseThrow(
                () ->
                    new CheckpointException(
                        model
                            + ": no tokenizer beside it, which a GGUF file must hold. Put it"
                            + " there."));
    Tokenizer tokenizer = Tokenizers.load(model);
    var map = new LinkedHashMap<String, Object>();
    boolean bytes = tokenizer.id("<0x00>").isPresent();
    map.put(PREFIX + "model", bytes ? "llama" : "gpt2");
    addPieces(map, tokenizer, size, bytes);
    tokenizer.bos().ifPresent(id -> map.put(PREFIX + "bos_token_id", id));
    tokenizer.eos().ifPresent(id -> map.put(PREFIX + "eos_token_id", id));
    int[] empty = tokenizer.encode("", true, false);
    boolean addsBos = tokenizer.bos().isPresent() && contains(empty, tokenizer.bos().getAsInt());
    map.put(PREFIX + "add_bos_token", addsBos);
    boolean addsEos = tokenizer.eos().isPresent() && contains(empty, tokenizer.eos().getAsInt());
    map.put(PREFIX + "add_eos_token", addsEos);
    var config = TokenizerConfig.read(file.toAbsolutePath().getParent());
    if (config.tokenizer().path("chat_template").isTextual()) {
      map.put("tokenizer.chat_template", config.tokenizer().path("chat_template").textValue());
    }
    if (bytes) {
      for (boolean space : new boolean[] {true, false}) {
        map.put(PREFIX + "add_space_prefix", space);
        if (isSame(tokenizer, map, model)) {
          return map;
        }
      }
    } else if (file.toString().endsWith(".json")) {
      List<String> merges = merges(file);
      if (merges.isEmpty()) {
        throw new CheckpointException(
            "%s: this tokenizer has no merges, of which GGUF makes every tokenizer that has no bytes"
                    .formatted(file)
                + " among its pieces. Quantize to int4 or int8, which keeps it as it is.");
      }
      map.put(PREFIX + "merges", merges);
      for (String pre : GgufPreTokenizers.candidates()) {
        map.put(PREFIX + "pre", pre);
        if (isSame(tokenizer, map, model)) {
          return map;
        }
      }
    }
    throw new CheckpointException(
        "%s: this tokenizer has no form in GGUF that gives the same tokens. Quantize to int4 or int8,"
                .formatted(file)
            + " which keeps it as it is.");
  }

  private static void addPieces(
      Map<String, Object> map, Tokenizer tokenizer, int size, boolean sentencePiece) {
    var pieces = new ArrayList<String>();
    var types = new ArrayList<Integer>();
    var scores = new ArrayList<Float>();
    for (int id = 0; id < Math.max(size, tokenizer.size()); id++) {
      String piece = tokenizer.has(id) ? tokenizer.piece(id) : "[PAD" + id + "]";
      int type = SentencePiece.NORMAL;
      if (!tokenizer.has(id)) {
        type = SentencePiece.UNUSED;
      } else if (tokenizer.isSpecial(id)) {
        type = piece.equals("<unk>") ? SentencePiece.UNKNOWN : SentencePiece.CONTROL;
      } else if (tokenizer.isAdded(id)) {
        type = SentencePiece.USER_DEFINED;
      } else if (sentencePiece && piece.matches("<0x[0-9A-F]{2}>")) {
        type = SentencePiece.BYTE;
      }
      pieces.add(piece);
      types.add(type);
      // SentencePiece sorts its pieces by score.
      scores.add((float) -id);
    }
    map.put(PREFIX + "tokens", pieces);
    map.put(PREFIX + "token_type", types);
    if (sentencePiece) {
      map.put(PREFIX + "scores", scores);
    }
  }

  private static List<String> merges(Path file) {
    try {
      var merges = new ArrayList<String>();
      for (JsonNode merge : JsonTree.read(file).at("/model/merges")) {
        merges.add(
            merge.isArray() ? merge.get(0).asText() + " " + merge.get(1).asText() : merge.asText());
      }
      return merges;
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
  }

  /// Whether the metadata, as it will be read, makes the same tokens.
  private static boolean isSame(Tokenizer tokenizer, Map<String, Object> metadata, Path model) {
    Tokenizer back;
    try {
      back = new GgufTokenizer(asRead(metadata), model).build();
    } catch (CheckpointException e) {
      return false;
    }
    return PROBES.stream()
        .allMatch(text -> Arrays.equals(tokenizer.encode(text), back.encode(text)));
  }

  /// A file's integers come as Long.
  private static Map<String, Object> asRead(Map<String, Object> metadata) {
    var read = new LinkedHashMap<String, Object>();
    metadata.forEach(
        (key, value) ->
            read.put(
                key,
                switch (value) {
                  case Integer i -> i.longValue();
                  case List<?> list when list.getFirst() instanceof Integer ->
                      list.stream().map(i -> ((Integer) i).longValue()).toList();
                  default -> value;
                }));
    return read;
  }

  private static boolean contains(int[] ids, int id) {
    return Arrays.stream(ids).anyMatch(i -> i == id);
  }
}
