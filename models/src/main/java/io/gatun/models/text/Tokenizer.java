package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.UnaryOperator;

/// Text to token ids and back. Immutable, for use by any number of threads.
///
/// [Tokenizers#load] makes one from a checkpoint's files or metadata.
public final class Tokenizer {
  /// For private use: in no token, and the same in all of Unicode's normal forms.
  private static final char MASK = '\ue000';

  /// The stages that the text between added tokens goes through, and the way back.
  record Pipeline(
      UnaryOperator<String> normalizer, PreTokenizer words, Model model, Decoder decoder) {}

  /// The ids that mark a text's beginning and end (-1: none), what encoding puts around it, and how
  /// two texts become one input (null: not at all).
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Marks(int bos, int eos, int[] prefix, int[] suffix, Set<Integer> ends, PairTemplate pair) {
    /// Marks of a vocabulary that knows no two texts in one input.
    Marks(int bos, int eos, int[] prefix, int[] suffix, Set<Integer> ends) {
      this(bos, eos, prefix, suffix, ends, null);
    }
  }

  private final Vocabulary vocabulary;
  private final Map<Integer, AddedToken> added = new HashMap<>();
  private final Map<String, Integer> addedIds = new HashMap<>();
  private final AddedTokens inRawText;
  private final AddedTokens inNormalizedText;

  /// The special ones of these.
  private final AddedTokens normalizedMarks;

  private final Pipeline pipeline;
  private final Marks marks;
  private final int size;

  /// @param file where it is from, for messages
  /// @throws CheckpointException if an added token is too long to look for, or what is put around a
  ///   text is not in the vocabulary
  Tokenizer(
      Path file, Vocabulary vocabulary, List<AddedToken> added, Pipeline pipeline, Marks marks) {
    this.vocabulary = vocabulary;
    this.pipeline = pipeline;
    this.marks = marks;
    int last = vocabulary.size() - 1;
    for (AddedToken token : added) {
      if (token.match().length() > AddedToken.LONGEST) {
        throw new CheckpointException(
            "%s: the added token %d has %d characters; Gatun looks for %d at most"
                .formatted(file, token.id(), token.match().length(), AddedToken.LONGEST));
      }
      this.added.put(token.id(), token);
      addedIds.putIfAbsent(token.content(), token.id());
      last = Math.max(last, token.id());
    }
    size = last + 1;
    if (marks.bos() != -1) {
      checkMark(file, "BOS", marks.bos());
    }
    if (marks.eos() != -1) {
      checkMark(file, "EOS", marks.eos());
    }
    for (int id : marks.prefix()) {
      checkMark(file, "what begins a text", id);
    }
    for (int id : marks.suffix()) {
      checkMark(file, "what ends a text", id);
    }
    if (marks.pair() != null) {
      for (PairTemplate.Slot slot : marks.pair().slots()) {
        if (slot.id() != PairTemplate.FIRST && slot.id() != PairTemplate.SECOND) {
          checkMark(file, "what joins two texts", slot.id());
        }
      }
    }
    inRawText = new AddedTokens(added.stream().filter(token -> !token.normalized()).toList());
    List<AddedToken> normalized = added.stream().filter(AddedToken::normalized).toList();
    inNormalizedText = new AddedTokens(normalized);
    normalizedMarks = new AddedTokens(normalized.stream().filter(AddedToken::special).toList());
  }

  private void checkMark(Path file, String mark, int id) {
    if (!has(id)) {
      throw new CheckpointException(
          "%s: %s is the token %d, which is not in the vocabulary of %d. The tokenizer is damaged, or belongs to another model's configuration."
              .formatted(file, mark, id, size));
    }
  }

  /// The ids of `text` as the model expects a prompt: with BOS and EOS where its rules put them,
  /// and with special tokens that are written in the text standing for themselves.
  public int[] encode(String text) {
    return encode(text, true, true);
  }

  /// The ids of `text`.
  ///
  /// @param addSpecial put around the text what the model expects there (BOS, EOS)
  /// @param parseSpecial special tokens written in the text stand for themselves; if not, they are
  ///   text like any other, as is right for text that is not trusted
  public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    return encode(text, addSpecial, (start, end) -> parseSpecial);
  }

  /// The ids of a text of which a part is not trusted: special tokens stand for themselves where no
  /// character of theirs is in `untrusted`. All else is encoded as one text, whoever wrote it.
  ///
  /// @param addSpecial put around the text what the model expects there (BOS, EOS)
  /// @param untrusted the places of the characters (Java's) that came from outside
  public int[] encode(String text, boolean addSpecial, BitSet untrusted) {
    return encode(text, addSpecial, AddedTokens.Trust.outside(untrusted));
  }

  private int[] encode(String text, boolean addSpecial, AddedTokens.Trust trust) {
    var ids = new Ids();
    if (addSpecial) {
      ids.addAll(marks.prefix());
    }
    var encoder = new WordEncoder(ids);
    for (AddedTokens.Part raw : inRawText.split(text, trust)) {
      if (raw.id() >= 0) {
        ids.add(raw.id());
        continue;
      }
      String normalized = pipeline.normalizer().apply(raw.text());
      AddedTokens.Trust within = afterNormalizing(raw, normalized, trust);
      for (AddedTokens.Part part : inNormalizedText.split(normalized, within)) {
        if (part.id() >= 0) {
          ids.add(part.id());
        } else {
          pipeline.words().split(part.text(), raw.start() + part.start() == 0, encoder::encode);
        }
      }
    }
    if (addSpecial) {
      ids.addAll(marks.suffix());
    }
    return ids.toArray();
  }

  /// Two texts as one input of `most` tokens at most, for a model that compares them; the longer
  /// one loses tokens at its end first. Special tokens that are written in them are text.
  ///
  /// @throws IllegalArgumentException if there is no room for what is put around them
  /// @throws UnsupportedOperationException if the vocabulary's files do not say how texts are
  ///   joined
  public TokenPair encodePair(String first, String second, int most) {
    if (marks.pair() == null) {
      throw new UnsupportedOperationException(
          "the tokenizer's files do not say how two texts become one input");
    }
    return marks.pair().fill(encode(first, false, false), encode(second, false, false), most);
  }

  /// The first of the ids of an encoded text, `most` at most, and what encoding puts at its end.
  ///
  /// @throws IllegalArgumentException if there is no room for what is put around a text
  public int[] truncate(int[] ids, int most) {
    int end = marks.suffix().length;
    if (ids.length <= most) {
      return ids;
    }
    if (most < marks.prefix().length + end) {
      throw new IllegalArgumentException(
          "%d tokens cannot hold a text: %d are put around it"
              .formatted(most, marks.prefix().length + end));
    }
    int[] kept = Arrays.copyOf(ids, most);
    System.arraycopy(marks.suffix(), 0, kept, most - end, end);
    return kept;
  }

  /// The trust in a part's text after normalization, which moves its characters: special tokens are
  /// those that are still there when each character that is not trusted is masked. Where that
  /// changes how many characters there are, and how many special tokens, none is trusted.
  private AddedTokens.Trust afterNormalizing(
      AddedTokens.Part raw, String normalized, AddedTokens.Trust trust) {
    int start = raw.start();
    if (normalizedMarks.isEmpty() || trust.at(start, start + raw.text().length())) {
      return AddedTokens.Trust.EVERYWHERE;
    }
    var masked = new StringBuilder(raw.text());
    for (int i = 0; i < masked.length(); i++) {
      // Spaces stay: a normalizer may put one before a special token's name, and no name is a
      // space.
      if (masked.charAt(i) != ' ' && !trust.at(start + i, start + i + 1)) {
        masked.setCharAt(i, MASK);
      }
    }
    String own = pipeline.normalizer().apply(masked.toString());
    List<AddedTokens.Mention> marksOfOwn = normalizedMarks.mentions(own);
    List<AddedTokens.Mention> places =
        own.length() == normalized.length() ? marksOfOwn : normalizedMarks.mentions(normalized);
    var trusted = new HashMap<Integer, Integer>(); // where one begins, and where it ends
    for (int i = 0; i < places.size() && places.size() == marksOfOwn.size(); i++) {
      trusted.put(places.get(i).start(), places.get(i).end());
    }
    return (from, to) -> trusted.getOrDefault(from, 0) >= to;
  }

  /// The text of the ids, without the special tokens among them.
  ///
  /// @throws IllegalArgumentException if an id is not in the vocabulary
  public String decode(int... ids) {
    return decode(ids, true);
  }

  /// The text of the ids; special tokens are left out or written as they are.
  ///
  /// @throws IllegalArgumentException if an id is not in the vocabulary
  public String decode(int[] ids, boolean skipSpecial) {
    StreamingDecoder decoder = streamingDecoder(skipSpecial);
    var text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.push(id));
    }
    return text.append(decoder.flush()).toString();
  }

  /// A decoder for the tokens of one text as they come.
  public StreamingDecoder streamingDecoder(boolean skipSpecial) {
    return new StreamingDecoder(this, skipSpecial, pipeline.decoder().leadingSpaces());
  }

  /// A decoder for the tokens that follow `before`: what it gives is what they add to the text. The
  /// space that a vocabulary puts before a whole text is not lost in the middle of one, and a
  /// character that `before` leaves incomplete is completed.
  ///
  /// Ids in `before` that are not in the vocabulary stand for no text.
  public StreamingDecoder streamingDecoderAfter(int[] before, boolean skipSpecial) {
    StreamingDecoder decoder = streamingDecoder(skipSpecial);
    for (int id : before) {
      if (has(id)) {
        decoder.push(id);
      }
    }
    return decoder;
  }

  /// The bytes of one token, possibly only a part of a UTF-8 character; a special token's are those
  /// of its name.
  ///
  /// @throws IllegalArgumentException if the id is not in the vocabulary
  public byte[] bytes(int id) {
    AddedToken token = added.get(id);
    Decoder decoder = pipeline.decoder();
    return token != null && (token.special() || decoder.byteLevel())
        ? token.content().getBytes(StandardCharsets.UTF_8)
        : decoder.bytes(piece(id));
  }

  /// The token as the vocabulary spells it: `Ġthe`, `▁the`, `<0x0A>`, `</s>`.
  ///
  /// @throws IllegalArgumentException if the id is not in the vocabulary
  public String piece(int id) {
    AddedToken token = added.get(id);
    String piece = token == null ? vocabulary.piece(id) : token.content();
    if (piece == null) {
      throw new IllegalArgumentException(
          "token id %d is not in the vocabulary, which has the ids 0 to %d"
              .formatted(id, size() - 1));
    }
    return piece;
  }

  /// The id of the token that the vocabulary spells like this, if there is one.
  public OptionalInt id(String piece) {
    return optional(addedIds.getOrDefault(piece, vocabulary.find(piece)));
  }

  /// Whether the token is a mark (BOS, a role, an end) and not text.
  public boolean isSpecial(int id) {
    AddedToken token = added.get(id);
    return token != null && token.special();
  }

  /// Whether the vocabulary has the id at all: some leave gaps, and a model's embedding may have
  /// rows beyond it.
  public boolean has(int id) {
    return added.containsKey(id) || vocabulary.piece(id) != null;
  }

  /// Whether the token is looked for in the text before all else.
  boolean isAdded(int id) {
    return added.containsKey(id);
  }

  /// Whether the token ends an answer: EOS or the model's end of a turn.
  public boolean isEnd(int id) {
    return marks.ends().contains(id);
  }

  /// The token before every text, if the vocabulary has one, whether or not encoding adds it.
  public OptionalInt bos() {
    return optional(marks.bos());
  }

  /// The token after every text, if the vocabulary has one, whether or not encoding adds it.
  public OptionalInt eos() {
    return optional(marks.eos());
  }

  /// The number of ids: the highest one and one more. A model's embedding may have more rows.
  public int size() {
    return size;
  }

  private static OptionalInt optional(int id) {
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /// Encodes the words of one text, each different one once.
  private final class WordEncoder {
    private final Map<String, int[]> seen = new HashMap<>();
    private final Ids ids;

    WordEncoder(Ids ids) {
      this.ids = ids;
    }

    void encode(String word) {
      int[] known = seen.get(word);
      if (known != null) {
        ids.addAll(known);
        return;
      }
      int from = ids.size();
      pipeline.model().encode(word, ids);
      seen.put(word, ids.toArray(from));
    }
  }

  @Override
  public String toString() {
    return "Tokenizer(" + size() + " tokens, prefix " + Arrays.toString(marks.prefix()) + ")";
  }
}
