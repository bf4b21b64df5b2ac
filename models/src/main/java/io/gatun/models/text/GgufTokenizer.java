package io.gatun.models.text;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonTree;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Builds the tokenizer that a GGUF file's metadata describes (keys `tokenizer.ggml.*`).
///
/// @param file the file, for messages
record GgufTokenizer(Map<String, Object> metadata, Path file) {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final String GEMMA4 = "gemma4";

  /// @throws CheckpointException if the metadata is damaged or asks for what Gatun does not have
  Tokenizer build() {
    String model = text("model");
    return switch (model) {
      case "llama" -> sentencePiece(false);
      case "t5" -> sentencePiece(true);
      case "gpt2" ->
          metadata.get(PREFIX + "pre") instanceof String s && s.equals(GEMMA4)
              ? visibleSpaces()
              : byteLevel();
      case GEMMA4 -> visibleSpaces();
      case "bert" -> wordPiece();
      default ->
          throw new CheckpointException(
              ("%s: tokenizer.ggml.model is \"%s\"; Gatun has \"llama\" (SentencePiece BPE), \"t5\""
                      + " (unigram), \"gpt2\" (byte-level BPE), \"gemma4\" (BPE of characters) and"
                      + " \"bert\" (WordPiece).")
                  .formatted(file, Excerpt.of(model)));
    };
  }

  private Tokenizer sentencePiece(boolean unigram) {
    var model = new SentencePiece();
    List<String> tokens = list("tokens", String.class);
    List<Float> scores = sized("scores", Float.class, tokens.size());
    List<Long> types = types(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      model.add(tokens.get(id), scores.get(id), type(types, id));
    }
    model.unigram = unigram;
    model.userDefinedInRawText = !unigram;
    model.dummyPrefix = flag("add_space_prefix", true);
    model.removeExtraSpaces = unigram && flag("remove_extra_whitespaces", true);
    model.charsMap = charsMap();
    model.unk = id("unknown_token_id", unigram ? 2 : 0, tokens.size());
    model.bos = id("bos_token_id", unigram ? -1 : 1, tokens.size());
    model.eos = id("eos_token_id", unigram ? 1 : 2, tokens.size());
    model.addBos = flag("add_bos_token", !unigram);
    model.addEos = flag("add_eos_token", unigram);
    model.pair = pair(tokens.size(), false);
    return model.build(endings(tokens.size()), file);
  }

  /// The file has no key for how text is normalized: as for BERT's uncased models, which is what
  /// all readers of these files do.
  private Tokenizer wordPiece() {
    List<String> tokens = list("tokens", String.class);
    List<Long> types = types(tokens.size());
    var vocabulary =
        BertVocabulary.ofGguf(
            tokens,
            id ->
                type(types, id) != SentencePiece.CONTROL
                    && type(types, id) != SentencePiece.UNKNOWN);
    int size = tokens.size();
    var special =
        new BertVocabulary.Special(
            needed("unknown_token_id", size),
            id("cls_token_id", id("bos_token_id", -1, size), size),
            id("seperator_token_id", id("eos_token_id", -1, size), size),
            id("padding_token_id", -1, size),
            id("mask_token_id", -1, size));
    if (special.cls() < 0 || special.sep() < 0) {
      throw damaged(
          special.cls() < 0 ? "cls_token_id" : "seperator_token_id",
          "absent",
          "an id below " + size);
    }
    return BertVocabulary.build(vocabulary, special, true, true, true, file);
  }

  private int needed(String key, int size) {
    int id = id(key, -1, size);
    if (id < 0) {
      throw damaged(key, "absent", "an id below " + size);
    }
    return id;
  }

  private Tokenizer byteLevel() {
    List<String> tokens = list("tokens", String.class);
    List<Long> types = types(tokens.size());
    String pre = metadata.containsKey(PREFIX + "pre") ? text("pre") : "default";
    PreTokenizer words = GgufPreTokenizers.find(pre, file);
    if (words == null) {
      throw new CheckpointException(
          "%s: tokenizer.ggml.pre is \"%s\"; Gatun has %s"
              .formatted(file, Excerpt.of(pre), GgufPreTokenizers.names()));
    }
    boolean llama3 = GgufPreTokenizers.isLlama3(pre);
    // Qwen's models and ModernBERT were trained on text in NFC, which GGUF has no key for.
    UnaryOperator<String> normalizer =
        pre.matches("qwen2|qwen35|modern-bert")
            ? Normalizers.form(Normalizer.Form.NFC)
            : UnaryOperator.identity();
    var vocabulary = new Vocabulary(tokens.toArray(String[]::new));
    var unknown = new UnknownRule(null, -1, false);
    return bpe(
        tokens,
        types,
        vocabulary,
        new Tokenizer.Pipeline(
            normalizer,
            words,
            new BpeModel(vocabulary, merges(vocabulary), unknown, llama3, ""),
            Decoder.ofByteLevel(file)),
        llama3);
  }

  /// Gemma 4: characters, among which spaces are visible, and bytes for those that are missing.
  /// Line feeds stand apart from all else.
  private Tokenizer visibleSpaces() {
    List<String> tokens = list("tokens", String.class);
    List<Long> types = types(tokens.size());
    var vocabulary = new Vocabulary(tokens.toArray(String[]::new));
    var bytes = new int[256];
    for (int b = 0; b < bytes.length; b++) {
      bytes[b] = vocabulary.find("<0x%02X>".formatted(b));
    }
    var unknown = new UnknownRule(bytes, id("unknown_token_id", -1, tokens.size()), true);
    return bpe(
        tokens,
        types,
        vocabulary,
        new Tokenizer.Pipeline(
            text -> text.replace(' ', Vocabulary.SPACE),
            PreTokenizer.isolate(FilePattern.of("\\n+", file)),
            new BpeModel(vocabulary, merges(vocabulary), unknown, false, ""),
            Decoder.ofSentencePiece(0, file)),
        true);
  }

  private Tokenizer bpe(
      List<String> tokens,
      List<Long> types,
      Vocabulary vocabulary,
      Tokenizer.Pipeline pipeline,
      boolean bosUnlessToldOtherwise) {
    int bos = id("bos_token_id", -1, tokens.size());
    int eos = id("eos_token_id", -1, tokens.size());
    var added = new ArrayList<AddedToken>();
    for (int id = 0; id < tokens.size(); id++) {
      int type = type(types, id);
      boolean special =
          type == SentencePiece.CONTROL
              || type == SentencePiece.UNKNOWN
              || (type != SentencePiece.USER_DEFINED && (id == bos || id == eos));
      if (special || type == SentencePiece.USER_DEFINED) {
        added.add(AddedToken.plain(id, tokens.get(id), special));
      }
    }
    boolean addBos = flag("add_bos_token", bosUnlessToldOtherwise) && bos >= 0;
    boolean addEos = flag("add_eos_token", false) && eos >= 0;
    return new Tokenizer(
        file,
        vocabulary,
        added,
        pipeline,
        new Tokenizer.Marks(
            bos,
            eos,
            addBos ? new int[] {bos} : new int[0],
            addEos ? new int[] {eos} : new int[0],
            endings(tokens.size()).ends(eos, added),
            pair(tokens.size(), "modern-bert".equals(metadata.get(PREFIX + "pre")))));
  }

  /// How an encoder reads two texts, which GGUF has no key for: as RoBERTa, or as BERT.
  private PairTemplate pair(int size, boolean asBert) {
    int cls = id("cls_token_id", id("bos_token_id", -1, size), size);
    int sep = id("seperator_token_id", -1, size);
    if (cls < 0 || sep < 0) {
      return null;
    }
    return asBert ? PairTemplate.bert(cls, sep) : PairTemplate.roberta(cls, sep);
  }

  /// Merges of pieces that the vocabulary lacks are left out: nothing can come of them.
  private Merges merges(Vocabulary vocabulary) {
    List<String> merges = list("merges", String.class);
    var lefts = new ArrayList<String>(merges.size());
    var rights = new ArrayList<String>(merges.size());
    for (String merge : merges) {
      int space = merge.indexOf(' ', 1);
      if (space < 0) {
        throw damaged("merges", "\"" + merge + "\"", "two pieces with a space between them");
      }
      lefts.add(merge.substring(0, space));
      rights.add(merge.substring(space + 1));
    }
    return Merges.Table.of(vocabulary, lefts, rights, rank -> {});
  }

  private UnaryOperator<String> charsMap() {
    if (metadata.getOrDefault(PREFIX + "precompiled_charsmap", List.of()).equals(List.of())) {
      return UnaryOperator.identity();
    }
    List<Long> values = list("precompiled_charsmap", Long.class);
    var bytes = new byte[values.size()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = values.get(i).byteValue();
    }
    return CharsMap.of(bytes, file);
  }

  /// The ends of a turn that the file names beside EOS.
  private TokenizerConfig endings(int size) {
    ObjectNode generation = JsonTree.object();
    ArrayNode ends = generation.putArray("eos_token_id");
    ends.add(id("eot_token_id", -1, size)).add(id("eom_token_id", -1, size));
    return new TokenizerConfig(MissingNode.getInstance(), MissingNode.getInstance(), generation);
  }

  private List<Long> types(int size) {
    return metadata.containsKey(PREFIX + "token_type")
        ? sized("token_type", Long.class, size)
        : Collections.nCopies(size, (long) SentencePiece.NORMAL);
  }

  /// The type of a token; 0, undefined, is one that text does not become.
  private int type(List<Long> types, int id) {
    long type = types.get(id);
    if (type < 0 || type > SentencePiece.BYTE) {
      throw damaged("token_type", type + " for token " + id, "0 to " + SentencePiece.BYTE);
    }
    return (int) type;
  }

  private String text(String key) {
    if (metadata.get(PREFIX + key) instanceof String text) {
      return text;
    }
    throw damaged(key, String.valueOf(metadata.get(PREFIX + key)), "a string");
  }

  private boolean flag(String key, boolean otherwise) {
    return switch (metadata.get(PREFIX + key)) {
      case null -> otherwise;
      case Boolean flag -> flag;
      case Object other -> throw damaged(key, other.toString(), "true or false");
    };
  }

  private int id(String key, int otherwise, int size) {
    return switch (metadata.get(PREFIX + key)) {
      case null -> otherwise;
      case Long id when id >= 0 && id < size -> id.intValue();
      // -1, as a 32-bit number, says that there is none.
      case Long none when none == -1 || none == 0xFFFFFFFFL -> -1;
      case Object other -> throw damaged(key, other.toString(), "an id below " + size);
    };
  }

  private <T> List<T> sized(String key, Class<T> type, int size) {
    List<T> list = list(key, type);
    if (list.size() != size) {
      throw damaged(key, list.size() + " entries", size + ", one for each token");
    }
    return list;
  }

  @SuppressWarnings("unchecked") // every entry is looked at
  private <T> List<T> list(String key, Class<T> type) {
    if (metadata.get(PREFIX + key) instanceof List<?> list
        && !list.isEmpty()
        && list.stream().allMatch(type::isInstance)) {
      return (List<T>) list;
    }
    Object found = metadata.get(PREFIX + key);
    throw damaged(
        key,
        found == null ? "absent" : "a " + found.getClass().getSimpleName(),
        "a list of " + type.getSimpleName());
  }

  private CheckpointException damaged(String key, String found, String needed) {
    return new CheckpointException(
        "%s: %s%s is %s; need %s. The file is damaged or was written without its vocabulary."
            .formatted(file, PREFIX, key, Excerpt.of(found), needed));
  }
}
