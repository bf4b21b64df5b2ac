package io.gatun.models.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.PreTokenizer.Behavior;
import io.gatun.models.text.PreTokenizer.Prepend;
import java.nio.file.Path;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.function.UnaryOperator;

/// The stages that a `tokenizer.json` describes, by their type names there.
record TokenizerJsonStages(Path file, Vocabulary vocabulary) {
  /// The most stages of one kind; known tokenizers have up to nine.
  private static final int MOST = 64;

  /// To look for the pieces of longer ones would take too long; BERT's have 100 characters.
  private static final int LONGEST_WORD = 1000;

  static CheckpointException unsupported(Path file, String stage, JsonNode node) {
    return new CheckpointException(
        "%s: %s is %s, which Gatun does not have".formatted(file, stage, Excerpt.of(node)));
  }

  UnaryOperator<String> normalizer(JsonNode node) {
    String type = node.path("type").asText("");
    return switch (type) {
      case "" -> UnaryOperator.identity();
      case "Sequence" -> {
        var all = new ArrayList<UnaryOperator<String>>();
        for (JsonNode each : sequence(node, "normalizers")) {
          all.add(normalizer(each));
        }
        yield Normalizers.sequence(all, file);
      }
      case "NFC", "NFD", "NFKC", "NFKD" -> Normalizers.form(Form.valueOf(type));
      case "Lowercase" -> Normalizers::lowercase;
      case "BertNormalizer" -> {
        boolean lower = node.path("lowercase").asBoolean(true);
        yield BertText.normalizer(
            node.path("clean_text").asBoolean(true),
            node.path("handle_chinese_chars").asBoolean(true),
            node.path("strip_accents").asBoolean(lower),
            lower);
      }
      case "Prepend" -> Normalizers.prepend(node.path("prepend").asText());
      case "Strip" -> strip(node);
      case "Replace" -> replace(node);
      case "Precompiled" -> CharsMap.of(base64(node.path("precompiled_charsmap").asText()), file);
      default -> throw unsupported(file, "normalizer", node);
    };
  }

  private byte[] base64(String text) {
    try {
      return Base64.getDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          "%s: precompiled_charsmap is not base64: %s. Get the file again."
              .formatted(file, e.getMessage()),
          e);
    }
  }

  /// The stages of a sequence, sequences within it laid out flat.
  private List<JsonNode> sequence(JsonNode node, String key) {
    var all = new ArrayList<JsonNode>();
    flatten(node, key, all);
    return all;
  }

  private void flatten(JsonNode node, String key, List<JsonNode> all) {
    for (JsonNode each : node.path(key)) {
      if (each.path("type").asText().equals("Sequence")) {
        flatten(each, key, all);
      } else {
        all.add(each);
      }
      if (all.size() > MOST) {
        throw new CheckpointException(
            "%s: more than %d %s, one after the other; the file is damaged"
                .formatted(file, MOST, key));
      }
    }
  }

  private static UnaryOperator<String> strip(JsonNode node) {
    boolean left = node.path("strip_left").asBoolean();
    boolean right = node.path("strip_right").asBoolean();
    return text -> Normalizers.strip(text, left, right);
  }

  private UnaryOperator<String> replace(JsonNode node) {
    String content = node.path("content").asText();
    JsonNode pattern = node.path("pattern");
    if (pattern.path("String").isTextual() && !pattern.path("String").textValue().isEmpty()) {
      FilePattern from = FilePattern.literal(pattern.path("String").textValue(), file);
      return Normalizers.replace(from, content, file);
    }
    if (pattern.path("Regex").isTextual()) {
      return Normalizers.replace(
          FilePattern.of(pattern.path("Regex").textValue(), file), content, file);
    }
    throw unsupported(file, "normalizer", node);
  }

  PreTokenizer preTokenizer(JsonNode node) {
    return switch (node.path("type").asText("")) {
      case "" -> PreTokenizer.none();
      case "Sequence" -> {
        PreTokenizer all = null;
        for (JsonNode each : sequence(node, "pretokenizers")) {
          PreTokenizer next = preTokenizer(each);
          all = all == null ? next : all.then(next);
        }
        yield all == null ? PreTokenizer.none() : all;
      }
      case "ByteLevel" -> {
        PreTokenizer words =
            node.path("use_regex").asBoolean(true)
                ? isolate(PreTokenizer.GPT2).then(PreTokenizer.bytes())
                : PreTokenizer.bytes();
        yield node.path("add_prefix_space").asBoolean()
            ? PreTokenizer.prefixSpace().then(words)
            : words;
      }
      case "Split" ->
          PreTokenizer.split(pattern(node), behavior(node), node.path("invert").asBoolean());
      case "Digits" -> isolate(node.path("individual_digits").asBoolean() ? "\\p{N}" : "\\p{N}+");
      case "Punctuation" ->
          PreTokenizer.split(FilePattern.of("[\\p{P}$+<=>^`|~]", file), behavior(node), false);
      case "WhitespaceSplit" ->
          PreTokenizer.split(FilePattern.of("\\s+", file), Behavior.REMOVED, false);
      case "BertPreTokenizer" -> (text, first, out) -> BertText.split(text, out);
      case "Whitespace" ->
          PreTokenizer.split(FilePattern.of("\\w+|[^\\w\\s]+", file), Behavior.REMOVED, true);
      case "Metaspace" -> metaspace(node);
      default -> throw unsupported(file, "pre_tokenizer", node);
    };
  }

  private PreTokenizer isolate(String regex) {
    return PreTokenizer.isolate(FilePattern.of(regex, file));
  }

  private PreTokenizer metaspace(JsonNode node) {
    return PreTokenizer.metaspace(
        replacement(node), prepend(node), node.path("split").asBoolean(true));
  }

  private char replacement(JsonNode node) {
    String text = node.path("replacement").asText();
    if (text.length() != 1) {
      throw unsupported(file, "Metaspace", node);
    }
    return text.charAt(0);
  }

  /// `prepend_scheme`, or what older files say with `add_prefix_space`.
  private static Prepend prepend(JsonNode node) {
    return switch (node.path("prepend_scheme").asText("")) {
      case "first" -> Prepend.FIRST;
      case "never" -> Prepend.NEVER;
      case "always" -> Prepend.ALWAYS;
      default -> node.path("add_prefix_space").asBoolean(true) ? Prepend.ALWAYS : Prepend.NEVER;
    };
  }

  private FilePattern pattern(JsonNode node) {
    JsonNode pattern = node.path("pattern");
    if (pattern.path("String").isTextual()) {
      return FilePattern.literal(pattern.path("String").textValue(), file);
    }
    if (pattern.path("Regex").isTextual()) {
      return FilePattern.of(pattern.path("Regex").textValue(), file);
    }
    throw unsupported(file, "pre_tokenizer", node);
  }

  private Behavior behavior(JsonNode node) {
    return switch (node.path("behavior").asText("Isolated")) {
      case "Removed" -> Behavior.REMOVED;
      case "Isolated" -> Behavior.ISOLATED;
      case "MergedWithPrevious" -> Behavior.MERGED_WITH_PREVIOUS;
      case "MergedWithNext" -> Behavior.MERGED_WITH_NEXT;
      case "Contiguous" -> Behavior.CONTIGUOUS;
      default -> throw unsupported(file, "pre_tokenizer", node);
    };
  }

  Decoder decoder(JsonNode node) {
    if (node.path("type").asText().equals("WordPiece")) {
      return Decoder.ofWordPiece(
          node.path("prefix").asText("##"), node.path("cleanup").asBoolean(true), file);
    }
    var byteLevel = false;
    var byteFallback = false;
    var replacements = new ArrayList<String[]>();
    int leadingSpaces = 0;
    boolean sequence = node.path("type").asText().equals("Sequence");
    for (JsonNode each : sequence ? sequence(node, "decoders") : List.of(node)) {
      switch (each.path("type").asText("")) {
        case "ByteLevel" -> byteLevel = true;
        case "ByteFallback" -> byteFallback = true;
        case "Fuse", "" -> {} // pieces are joined as they are
        case "Metaspace" -> {
          replacements.add(new String[] {String.valueOf(replacement(each)), " "});
          leadingSpaces = prepend(each) == Prepend.NEVER ? 0 : 1;
        }
        case "Replace" -> {
          JsonNode from = each.path("pattern").path("String");
          if (!from.isTextual() || from.textValue().isEmpty()) {
            throw unsupported(file, "decoder", each);
          }
          replacements.add(new String[] {from.textValue(), each.path("content").asText()});
        }
        case "Strip" -> {
          if (!each.path("content").asText().equals(" ") || each.path("stop").asInt() != 0) {
            throw unsupported(file, "decoder", each);
          }
          leadingSpaces = each.path("start").asInt();
        }
        case "BPEDecoder" -> replacements.add(new String[] {each.path("suffix").asText(), " "});
        default -> throw unsupported(file, "decoder", each);
      }
    }
    return new Decoder(byteLevel, byteFallback, replacements, null, leadingSpaces, file);
  }

  Model model(
      JsonNode node,
      List<String> lefts,
      List<String> rights,
      float[] scores,
      List<AddedToken> added) {
    String type = node.path("type").asText("BPE");
    if (type.equals("Unigram") && scores != null) {
      return unigram(node, scores, added);
    }
    if (type.equals("WordPiece") && scores == null) {
      return wordPiece(node);
    }
    if (!type.equals("BPE") || scores != null) {
      throw new CheckpointException(
          "%s: the model's type is %s; Gatun has BPE, Unigram and WordPiece"
              .formatted(file, Excerpt.of(type)));
    }
    if (!node.path("continuing_subword_prefix").asText("").isEmpty()
        && !node.path("continuing_subword_prefix").isNull()) {
      throw unsupported(file, "model.continuing_subword_prefix", node);
    }
    Merges table =
        Merges.Table.of(
            vocabulary,
            lefts,
            rights,
            rank -> {
              throw new CheckpointException(
                  "%s: the merge of \"%s\" and \"%s\" needs both and the two together in the vocabulary"
                      .formatted(file, Excerpt.of(lefts.get(rank)), Excerpt.of(rights.get(rank))));
            });
    String end = node.path("end_of_word_suffix").textValue();
    return new BpeModel(
        vocabulary,
        table,
        unknown(node, vocabulary.find(node.path("unk_token").asText(""))),
        node.path("ignore_merges").asBoolean(),
        end == null ? "" : end);
  }

  private Model unigram(JsonNode node, float[] scores, List<AddedToken> added) {
    float[] usable = Arrays.copyOf(scores, vocabulary.size());
    int unk = node.path("unk_id").asInt(-1);
    if (unk < -1 || unk >= usable.length) {
      throw new CheckpointException(
          "%s: model.unk_id is %s; need an id below %d"
              .formatted(file, node.path("unk_id"), usable.length));
    }
    UnknownRule unknown = unknown(node, unk);
    added.stream()
        .filter(token -> token.special() && token.id() < usable.length)
        .forEach(token -> usable[token.id()] = Float.NaN);
    if (unknown.byteIds() != null) {
      Arrays.stream(unknown.byteIds()).filter(id -> id >= 0).forEach(id -> usable[id] = Float.NaN);
    }
    return new UnigramModel(
        vocabulary, usable, new UnknownRule(unknown.byteIds(), unknown.unkId(), true), file);
  }

  private Model wordPiece(JsonNode node) {
    String name = node.path("unk_token").asText("[UNK]");
    int unk = vocabulary.find(name);
    if (unk < 0) {
      throw new CheckpointException(
          "%s: model.unk_token is \"%s\", which is not in the vocabulary"
              .formatted(file, Excerpt.of(name)));
    }
    int longest = node.path("max_input_chars_per_word").asInt(100);
    if (longest < 1 || longest > LONGEST_WORD) {
      throw new CheckpointException(
          "%s: model.max_input_chars_per_word is %s; need 1 to %d"
              .formatted(file, node.path("max_input_chars_per_word"), LONGEST_WORD));
    }
    return new WordPieceModel(
        vocabulary, node.path("continuing_subword_prefix").asText("##"), unk, longest);
  }

  private UnknownRule unknown(JsonNode node, int unkId) {
    return new UnknownRule(
        node.path("byte_fallback").asBoolean() ? vocabulary.byteIds() : null,
        unkId,
        node.path("fuse_unk").asBoolean());
  }
}
