package io.gatun.models.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a model directory says of its tokens beside the vocabulary: `tokenizer_config.json`,
/// `config.json` and `generation_config.json`, each of which may be absent.
record TokenizerConfig(JsonNode tokenizer, JsonNode model, JsonNode generation) {
  /// Names that end an answer in one family of models or another.
  private static final Set<String> ENDS =
      Set.of(
          "<|eot_id|>",
          "<|eom_id|>",
          "<|end_of_text|>",
          "<|endoftext|>",
          "<|im_end|>",
          "<|end|>",
          "<|return|>",
          "<|call|>",
          "<turn|>",
          "<|EOT|>",
          "<end_of_turn>",
          "<end_of_utterance>",
          "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");

  private static final List<String> USUAL_BOS = List.of("<s>", "<|begin_of_text|>", "<bos>");
  private static final List<String> USUAL_EOS =
      List.of("</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>");

  /// Reads the files of the directory.
  ///
  /// @throws CheckpointException if one is not JSON
  static TokenizerConfig read(Path directory) {
    return new TokenizerConfig(
        read(directory, "tokenizer_config.json"),
        read(directory, "config.json"),
        read(directory, "generation_config.json"));
  }

  private static JsonNode read(Path directory, String name) {
    Path file = directory.resolve(name);
    if (!Files.exists(file)) {
      return MissingNode.getInstance();
    }
    try {
      return JsonTree.read(file);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          "%s: this is not JSON: %s. Get the file again.".formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
  }

  /// The id of `bos_token`, or -1.
  int bos(Vocabulary vocabulary, Map<String, Integer> added) {
    return mark("bos", USUAL_BOS, vocabulary, added);
  }

  /// The id of `eos_token`, or -1.
  int eos(Vocabulary vocabulary, Map<String, Integer> added) {
    return mark("eos", USUAL_EOS, vocabulary, added);
  }

  /// A named token's text, which is a string or an object with `content`; null where there is none.
  String token(String key) {
    JsonNode node = tokenizer.path(key);
    return node.isObject() ? node.path("content").textValue() : node.textValue();
  }

  private int mark(
      String name, List<String> usual, Vocabulary vocabulary, Map<String, Integer> added) {
    String text = token(name + "_token");
    if (text != null) {
      return added.getOrDefault(text, vocabulary.find(text));
    }
    if (tokenizer.has(name + "_token")) {
      return -1; // null: said to have none
    }
    JsonNode id = model.path(name + "_token_id");
    if (id.isInt()) {
      return id.intValue();
    }
    for (String candidate : usual) {
      int found = added.getOrDefault(candidate, vocabulary.find(candidate));
      if (found >= 0) {
        return found;
      }
    }
    return -1;
  }

  /// The ids that end an answer: EOS, what `generation_config.json` lists, and the special tokens
  /// that are known to end a turn.
  Set<Integer> ends(int eos, List<AddedToken> added) {
    Set<Integer> ends = knownEnds(eos, added);
    JsonNode listed = generation.path("eos_token_id");
    for (JsonNode id : listed.isArray() ? listed : List.of(listed)) {
      if (id.isInt() && id.intValue() >= 0) {
        ends.add(id.intValue());
      }
    }
    return ends;
  }

  /// EOS and the special tokens that are known to end a turn.
  static Set<Integer> knownEnds(int eos, List<AddedToken> added) {
    var ends = new HashSet<Integer>();
    if (eos >= 0) {
      ends.add(eos);
    }
    // Where messages are in channels, one may end before the answer has begun.
    boolean channels = added.stream().anyMatch(token -> token.content().equals("<|channel|>"));
    for (AddedToken token : added) {
      if (token.special()
          && ENDS.contains(token.content())
          && !(channels && token.content().equals("<|end|>"))) {
        ends.add(token.id());
      }
    }
    return ends;
  }

  /// Tokens that `tokenizer_config.json` adds to those of the vocabulary.
  List<AddedToken> addedTokens() {
    var tokens = new ArrayList<AddedToken>();
    for (Map.Entry<String, JsonNode> field : tokenizer.path("added_tokens_decoder").properties()) {
      if (field.getKey().matches("\\d{1,7}")) {
        tokens.add(TokenizerJson.addedToken(Integer.parseInt(field.getKey()), field.getValue()));
      }
    }
    return tokens;
  }
}
