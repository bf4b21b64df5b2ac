package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// SentencePiece's vocabularies: pieces with scores and types, for BPE or unigram.
///
/// Kept as a mutable description that the readers of `tokenizer.model`, GGUF and llama2.c's
/// `tokenizer.bin` fill in; the defaults are those of SentencePiece's ModelProto.
final class SentencePiece {
  static final int NORMAL = 1;
  static final int UNKNOWN = 2;
  static final int CONTROL = 3;
  static final int USER_DEFINED = 4;
  static final int UNUSED = 5;
  static final int BYTE = 6;

  final List<String> pieces = new ArrayList<>();
  final List<Float> scores = new ArrayList<>();
  final List<Integer> types = new ArrayList<>();
  boolean unigram = true;
  boolean removeExtraSpaces = true;
  boolean dummyPrefix = true;

  /// Whether only the text's beginning gets the dummy prefix, not what follows a special token.
  boolean prefixOnlyFirst;

  /// Whether user-defined pieces are looked for in the text as it is, not after normalization.
  boolean userDefinedInRawText;

  UnaryOperator<String> charsMap = UnaryOperator.identity();
  int unk = 0;
  int bos = 1;
  int eos = 2;
  boolean addBos = true;
  boolean addEos;

  /// How two texts become one input; null if they do not.
  PairTemplate pair;

  /// Tokens beside the vocabulary.
  List<AddedToken> added = List.of();

  void add(String piece, float score, int type) {
    pieces.add(piece);
    scores.add(score);
    types.add(type);
  }

  Tokenizer build(TokenizerConfig config, Path file) {
    if (unk < -1 || unk >= pieces.size()) {
      throw new CheckpointException(
          "%s: the unknown token's id is %d; need one below %d"
              .formatted(file, unk, pieces.size()));
    }
    var vocabulary = new Vocabulary(pieces.toArray(String[]::new));
    var usable = new float[pieces.size()];
    var tokens = new HashMap<Integer, AddedToken>();
    boolean bytes = false;
    for (int id = 0; id < usable.length; id++) {
      int type = types.get(id);
      // Pieces that text never becomes by merging: NaN, which no score table lets through.
      usable[id] = type == NORMAL || type == USER_DEFINED ? scores.get(id) : Float.NaN;
      bytes |= type == BYTE;
      String piece = pieces.get(id);
      if (type == CONTROL || type == UNKNOWN) {
        tokens.put(id, AddedToken.plain(id, piece, true));
      } else if (type == USER_DEFINED) {
        tokens.put(
            id,
            new AddedToken(id, piece, piece, false, false, false, false, !userDefinedInRawText));
      }
    }
    added.forEach(token -> tokens.put(token.id(), token));
    var unknown = new UnknownRule(bytes ? vocabulary.byteIds() : null, unk, true);
    Model model =
        unigram
            ? new UnigramModel(vocabulary, usable, unknown, file)
            : new BpeModel(vocabulary, Merges.byScore(vocabulary, usable), unknown, false, "");
    UnaryOperator<String> normalizer =
        Normalizers.then(
            charsMap,
            Normalizers.sentencePiece(removeExtraSpaces, dummyPrefix && !prefixOnlyFirst));
    PreTokenizer words =
        dummyPrefix && prefixOnlyFirst ? PreTokenizer.firstSpace() : PreTokenizer.none();
    if (vocabulary.spacesOnlyLead()) {
      words = words.then(PreTokenizer.beforeSpaces());
    }
    // Where repeated spaces go, none is left at the beginning either.
    int leadingSpaces = removeExtraSpaces ? Integer.MAX_VALUE : dummyPrefix ? 1 : 0;
    List<AddedToken> all = List.copyOf(tokens.values());
    return new Tokenizer(
        file,
        vocabulary,
        all,
        new Tokenizer.Pipeline(
            normalizer, words, model, Decoder.ofSentencePiece(leadingSpaces, file)),
        marks(config, all));
  }

  private Tokenizer.Marks marks(TokenizerConfig config, List<AddedToken> tokens) {
    return new Tokenizer.Marks(
        bos,
        eos,
        addBos && bos >= 0 ? new int[] {bos} : new int[0],
        addEos && eos >= 0 ? new int[] {eos} : new int[0],
        config.ends(eos, tokens),
        pair);
  }

  /// Reads a `tokenizer.model`, a protocol buffer (sentencepiece_model.proto).
  ///
  /// @throws CheckpointException if the file is damaged or asks for what Gatun does not have
  static Tokenizer readModel(Path file, TokenizerConfig config) {
    var model = new SentencePiece();
    try {
      new ProtoReader(ByteBuffer.wrap(Files.readAllBytes(file)))
          .forEach(
              field -> {
                switch (field.number()) {
                  case 1 -> model.addPiece(field.message());
                  case 2 -> model.readTrainer(field.message(), file);
                  case 3 -> model.readNormalizer(field.message(), file);
                  default -> {} // self-test data, denormalizer
                }
              });
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    } catch (ProtoReader.DamagedException e) {
      throw new CheckpointException(
          "%s: not a SentencePiece model, or a damaged one: %s. Get the file again."
              .formatted(file, e.getMessage()),
          e);
    }
    if (model.pieces.isEmpty()) {
      throw new CheckpointException(file + ": not a SentencePiece model: it has no pieces");
    }
    model.addBos = config.tokenizer().path("add_bos_token").asBoolean(true);
    model.addEos = config.tokenizer().path("add_eos_token").asBoolean(false);
    model.prefixOnlyFirst = !config.tokenizer().path("legacy").asBoolean(true);
    model.added =
        config.addedTokens().stream()
            .filter(token -> token.id() >= model.pieces.size())
            .map(token -> AddedToken.plain(token.id(), token.content(), token.special()))
            .toList();
    Map<String, Integer> ids = new HashMap<>();
    model.added.forEach(token -> ids.put(token.content(), token.id()));
    String eosText = config.token("eos_token");
    model.eos = ids.getOrDefault(eosText == null ? "" : eosText, model.eos);
    return model.build(config, file);
  }

  private void addPiece(ProtoReader message) {
    var piece =
        new Object() {
          String text = "";
          float score;
          int type = NORMAL;
        };
    message.forEach(
        field -> {
          switch (field.number()) {
            case 1 -> piece.text = field.text();
            case 2 -> piece.score = field.float32();
            case 3 -> {
              if (field.varint() < NORMAL || field.varint() > BYTE) {
                throw new ProtoReader.DamagedException(
                    "piece %d has type %d".formatted(pieces.size(), field.varint()));
              }
              piece.type = (int) field.varint();
            }
            default -> {} // extensions
          }
        });
    add(piece.text, piece.score, piece.type);
  }

  private void readTrainer(ProtoReader message, Path file) {
    message.forEach(
        field -> {
          switch (field.number()) {
            case 3 -> {
              if (field.varint() != 1 && field.varint() != 2) {
                throw new CheckpointException(
                    "%s: SentencePiece model type %d (3 is words, 4 characters); Gatun has 1, unigram, and 2, BPE"
                        .formatted(file, field.varint()));
              }
              unigram = field.varint() == 1;
            }
            case 24 -> {
              if (field.varint() != 0) {
                throw new CheckpointException(
                    file + ": treat_whitespace_as_suffix is on, which Gatun does not have");
              }
            }
            case 40 -> unk = field.int32();
            case 41 -> bos = field.int32();
            case 42 -> eos = field.int32();
            default -> {} // how it was trained
          }
        });
  }

  private void readNormalizer(ProtoReader message, Path file) {
    message.forEach(
        field -> {
          switch (field.number()) {
            case 2 -> charsMap = CharsMap.of(field.bytes(), file);
            case 3 -> dummyPrefix = field.varint() != 0;
            case 4 -> removeExtraSpaces = field.varint() != 0;
            default -> {} // its name, and escape_whitespaces, which is on everywhere
          }
        });
  }

  /// Reads llama2.c's `tokenizer.bin`: the longest piece's length, then for each piece its score
  /// (F32), its length (I32) and its bytes, with spaces for SentencePiece's visible ones.
  ///
  /// @throws CheckpointException if the file is damaged
  static Tokenizer readLlama2c(Path file, TokenizerConfig config) {
    ByteBuffer in;
    try {
      in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
    var model = new SentencePiece();
    model.unigram = false;
    model.removeExtraSpaces = false;
    int longest = in.remaining() < 4 ? -1 : in.getInt();
    while (in.hasRemaining()) {
      int at = in.position();
      float score = in.remaining() < 8 ? Float.NaN : in.getFloat();
      int length = in.remaining() < 4 ? -1 : in.getInt();
      if (length < 0 || length > longest || length > in.remaining()) {
        throw new CheckpointException(
            "%s: not a llama2.c tokenizer, or a damaged one: the piece at byte %d has length %d; the longest has %d and %d bytes are left"
                .formatted(file, at, length, longest, in.remaining()));
      }
      String piece = new String(in.array(), in.position(), length, StandardCharsets.UTF_8);
      in.position(in.position() + length);
      int id = model.pieces.size();
      if (id < 3) { // <unk>, and <s> and </s> with line feeds around them
        model.add(piece.strip(), 0, id == 0 ? UNKNOWN : CONTROL);
      } else {
        boolean isByte = id < 3 + 256 && piece.equals("<0x%02X>".formatted(id - 3));
        model.add(piece.replace(' ', Vocabulary.SPACE), score, isByte ? BYTE : NORMAL);
      }
    }
    if (model.pieces.size() < 3 + 256) {
      throw new CheckpointException(
          "%s: not a llama2.c tokenizer: it has %d pieces; need <unk>, <s>, </s> and 256 bytes at least"
              .formatted(file, model.pieces.size()));
    }
    return model.build(config, file);
  }
}
