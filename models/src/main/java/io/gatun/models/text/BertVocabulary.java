package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;

/// Builds BERT's tokenizer from a WordPiece vocabulary alone: a `vocab.txt`, a piece to a line, or
/// what a GGUF file holds.
final class BertVocabulary {
  /// What begins a piece that does not begin a word.
  static final String CONTINUING = "##";

  private static final int LONGEST_WORD = 100;
  private static final long MAX_BYTES = 64 << 20;

  private BertVocabulary() {}

  /// The tokens with a meaning of their own; `mask` and `pad` may be -1.
  record Special(int unk, int cls, int sep, int pad, int mask) {}

  /// Reads a `vocab.txt`; what `tokenizer_config.json` does not say is as in BERT.
  ///
  /// @throws CheckpointException if it cannot be read, or lacks a token that BERT needs
  static Tokenizer read(Path file, TokenizerConfig config) {
    List<String> lines;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new CheckpointException(
            "%s: has %,d bytes; a vocabulary has %,d at most"
                .formatted(file, Files.size(file), MAX_BYTES));
      }
      lines = Files.readAllLines(file);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
    var vocabulary = new Vocabulary(lines.toArray(String[]::new));
    var special =
        new Special(
            needed(vocabulary, config, "unk", "[UNK]", file),
            needed(vocabulary, config, "cls", "[CLS]", file),
            needed(vocabulary, config, "sep", "[SEP]", file),
            find(vocabulary, config, "pad", "[PAD]"),
            find(vocabulary, config, "mask", "[MASK]"));
    var settings = config.tokenizer();
    boolean lower = settings.path("do_lower_case").asBoolean(true);
    return build(
        vocabulary,
        special,
        lower,
        settings.path("strip_accents").asBoolean(lower),
        settings.path("tokenize_chinese_chars").asBoolean(true),
        file);
  }

  private static int needed(
      Vocabulary vocabulary, TokenizerConfig config, String name, String usual, Path file) {
    int id = find(vocabulary, config, name, usual);
    if (id < 0) {
      throw new CheckpointException(
          "%s: no token \"%s\", which a WordPiece tokenizer needs as its %s_token"
              .formatted(file, token(config, name, usual), name));
    }
    return id;
  }

  private static int find(
      Vocabulary vocabulary, TokenizerConfig config, String name, String usual) {
    return vocabulary.find(token(config, name, usual));
  }

  private static String token(TokenizerConfig config, String name, String usual) {
    String named = config.token(name + "_token");
    return named == null ? usual : named;
  }

  /// @param vocabulary whose pieces have [#CONTINUING] where they do not begin a word
  static Tokenizer build(
      Vocabulary vocabulary,
      Special special,
      boolean lowercase,
      boolean stripAccents,
      boolean chinese,
      Path file) {
    var added = new ArrayList<AddedToken>();
    for (int id :
        new int[] {special.unk(), special.cls(), special.sep(), special.pad(), special.mask()}) {
      if (id >= 0) {
        added.add(AddedToken.plain(id, vocabulary.piece(id), true));
      }
    }
    return new Tokenizer(
        file,
        vocabulary,
        added,
        new Tokenizer.Pipeline(
            BertText.normalizer(true, chinese, stripAccents, lowercase),
            (text, first, out) -> BertText.split(text, out),
            new WordPieceModel(vocabulary, CONTINUING, special.unk(), LONGEST_WORD),
            Decoder.ofWordPiece(CONTINUING, true, file)),
        marks(special));
  }

  private static Tokenizer.Marks marks(Special special) {
    return new Tokenizer.Marks(
        -1,
        -1,
        new int[] {special.cls()},
        new int[] {special.sep()},
        Set.of(),
        PairTemplate.bert(special.cls(), special.sep()));
  }

  /// A GGUF file's pieces, which have a visible space where they begin a word, as `vocab.txt` has
  /// them. Those between brackets are as they are in both.
  ///
  /// @param isText whether a token is no mark
  static Vocabulary ofGguf(List<String> tokens, IntPredicate isText) {
    var pieces = new String[tokens.size()];
    for (int id = 0; id < pieces.length; id++) {
      String token = tokens.get(id);
      boolean starts = !token.isEmpty() && token.charAt(0) == Vocabulary.SPACE;
      boolean mark = !isText.test(id) || (token.startsWith("[") && token.endsWith("]"));
      pieces[id] = starts ? token.substring(1) : mark ? token : CONTINUING + token;
    }
    return new Vocabulary(pieces);
  }
}
