package io.gatun.models.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonTree;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.zip.GZIPInputStream;

/// CLIP's byte pair encoding (Radford et al. 2021, arXiv:2103.00020, section 2.4; openai/CLIP,
/// simple_tokenizer.py): lower case, words without the spaces between them, `</w>` at each word's
/// end. It comes as `vocab.json` and `merges.txt`, or as CLIP's own list of merges.
final class ClipVocabulary {
  private static final String START = "<|startoftext|>";
  private static final String END = "<|endoftext|>";
  private static final String END_OF_WORD = "</w>";
  private static final int MAX_ID = 1 << 20;

  /// Of CLIP's list, which is longer, the vocabulary of 49408 uses so many.
  private static final int MERGES = 49152 - 256 - 2;

  private static final String WORDS = "'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+";

  private ClipVocabulary() {}

  /// Reads `vocab.json` with the `merges.txt` beside it.
  ///
  /// @throws CheckpointException if one is missing or damaged, or they are another model's
  static Tokenizer read(Path vocab, TokenizerConfig config) {
    Path folder = vocab.toAbsolutePath().getParent();
    String type = config.tokenizer().path("tokenizer_class").asText("CLIPTokenizer");
    if (!type.startsWith("CLIPTokenizer")) {
      throw new CheckpointException(
          "%s: tokenizer_class is %s; of the tokenizers in vocab.json and merges.txt Gatun has CLIP's. Others need tokenizer.json"
              .formatted(folder, type));
    }
    try {
      var pieces = pieces(JsonTree.read(vocab), vocab);
      Path merges = folder.resolve("merges.txt");
      try (var in = Files.newBufferedReader(merges)) {
        return build(pieces, in, merges, Integer.MAX_VALUE, config.token("pad_token"));
      }
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(folder, e.getMessage()), e);
    }
  }

  /// Reads CLIP's own compressed list of merges.
  ///
  /// @param pad the padding token, which stands for itself wherever a text has it
  /// @throws CheckpointException if it is damaged
  static Tokenizer readMerges(InputStream gzip, Path name, String pad) {
    var bytes = new TreeSet<String>();
    for (char b = 0; b < 256; b++) {
      bytes.add(ByteAlphabet.character(b));
    }
    var pieces = new ArrayList<>(bytes);
    bytes.forEach(b -> pieces.add(b + END_OF_WORD));
    try (var in =
        new BufferedReader(
            new InputStreamReader(new GZIPInputStream(gzip), StandardCharsets.UTF_8))) {
      return build(pieces, in, name, MERGES, pad);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(name, e.getMessage()), e);
    }
  }

  private static List<String> pieces(JsonNode json, Path file) {
    var pieces = new ArrayList<String>();
    for (Map.Entry<String, JsonNode> entry : json.properties()) {
      int id = entry.getValue().asInt(-1);
      if (id < 0 || id > MAX_ID) {
        throw new CheckpointException(
            "%s: \"%s\" has the id %s; ids go from 0 to %d"
                .formatted(file, Excerpt.of(entry.getKey()), Excerpt.of(entry.getValue()), MAX_ID));
      }
      while (pieces.size() <= id) {
        pieces.add(null);
      }
      if (pieces.set(id, entry.getKey()) != null) {
        throw new CheckpointException(
            "%s: two pieces, one of them \"%s\", have the id %d"
                .formatted(file, Excerpt.of(entry.getKey()), id));
      }
    }
    return pieces;
  }

  /// `pieces` is the whole vocabulary, or its bytes alone, to which the merges' results are added.
  private static Tokenizer build(
      List<String> pieces, BufferedReader in, Path file, int limit, String pad) throws IOException {
    var lefts = new ArrayList<String>();
    var rights = new ArrayList<String>();
    boolean whole = pieces.contains(END);
    String line = in.readLine();
    if (line != null && line.contains("#version")) {
      line = in.readLine();
    }
    for (; lefts.size() < limit && line != null && !line.isBlank(); line = in.readLine()) {
      int space = line.indexOf(' ');
      if (space <= 0) {
        throw new CheckpointException(
            "%s: the merge \"%s\" needs two pieces with a space between them"
                .formatted(file, Excerpt.of(line)));
      }
      lefts.add(line.substring(0, space));
      rights.add(line.substring(space + 1).strip());
      if (!whole) {
        pieces.add(lefts.getLast() + rights.getLast());
      }
    }
    if (!whole) {
      pieces.add(START);
      pieces.add(END);
    }
    return tokenizer(new Vocabulary(pieces.toArray(String[]::new)), lefts, rights, file, pad);
  }

  private static Tokenizer tokenizer(
      Vocabulary vocabulary, List<String> lefts, List<String> rights, Path file, String pad) {
    var merges =
        Merges.Table.of(
            vocabulary,
            lefts,
            rights,
            rank -> {
              throw new CheckpointException(
                  "%s: the merge of \"%s\" and \"%s\" needs both and the two together in the vocabulary"
                      .formatted(file, Excerpt.of(lefts.get(rank)), Excerpt.of(rights.get(rank))));
            });
    int start = vocabulary.find(START);
    int end = vocabulary.find(END);
    if (start < 0 || end < 0) {
      throw new CheckpointException(
          "%s: the vocabulary lacks %s or %s".formatted(file, START, END));
    }
    UnaryOperator<String> normalizer =
        Normalizers.then(
            Normalizers.form(Normalizer.Form.NFC), text -> text.toLowerCase(Locale.ROOT));
    var added = new ArrayList<AddedToken>();
    added.add(new AddedToken(start, START, START, true, false, false, false, true));
    added.add(new AddedToken(end, END, END, true, false, false, false, true));
    if (pad != null && !pad.equals(END)) {
      int id = vocabulary.find(pad);
      if (id < 0) {
        throw new CheckpointException(
            "%s: pad_token \"%s\" is not in the vocabulary".formatted(file, pad));
      }
      added.add(new AddedToken(id, pad, pad, true, false, false, false, true));
    }
    var words =
        PreTokenizer.split(FilePattern.of(WORDS, file), PreTokenizer.Behavior.REMOVED, true)
            .then(PreTokenizer.bytes());
    var model =
        new BpeModel(vocabulary, merges, new UnknownRule(null, end, false), false, END_OF_WORD);
    return new Tokenizer(
        file,
        vocabulary,
        added,
        new Tokenizer.Pipeline(normalizer, words, model, Decoder.ofByteLevel(file)),
        new Tokenizer.Marks(start, end, new int[] {start}, new int[] {end}, Set.of(end)));
  }
}
