package io.gatun.models.clip;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// Prompts to the tokens that a CLIP text encoder reads, which are always equally many.
public final class ClipTokenizer {
  private static final String END = "<|endoftext|>";
  private static final int MAX_LENGTH = 77;

  private final Tokenizer tokenizer;
  private final int length;
  private final int start;
  private final int end;
  private final int pad;
  private final TaughtWords taught;

  private ClipTokenizer(ClipTokenizer plain, TaughtWords taught) {
    tokenizer = plain.tokenizer;
    length = plain.length;
    start = plain.start;
    end = plain.end;
    pad = plain.pad;
    this.taught = taught;
  }

  private ClipTokenizer(Tokenizer tokenizer, int length, String pad, String where) {
    this.tokenizer = tokenizer;
    this.length = length;
    taught = TaughtWords.NONE;
    start = require(tokenizer, "<|startoftext|>", where);
    end = require(tokenizer, END, where);
    this.pad = require(tokenizer, pad, where);
  }

  private static int require(Tokenizer tokenizer, String token, String where) {
    return tokenizer
        .id(token)
        .orElseThrow(
            () -> new CheckpointException("%s: there is no token %s".formatted(where, token)));
  }

  /// Reads the folder of a pipeline's tokenizer: `vocab.json` and `merges.txt` (or
  /// `tokenizer.json`), and of `tokenizer_config.json` the keys `pad_token` and `model_max_length`.
  ///
  /// @throws CheckpointException if it is damaged or not CLIP's
  public static ClipTokenizer load(Path folder) {
    Path vocab = folder.resolve("vocab.json");
    var tokenizer = Tokenizers.load(Files.exists(vocab) ? vocab : folder, Map.of());
    Path config = folder.resolve("tokenizer_config.json");
    if (!Files.exists(config)) {
      return new ClipTokenizer(tokenizer, MAX_LENGTH, END, folder.toString());
    }
    var keys = JsonKeys.read(config);
    var pad = keys.json().path("pad_token");
    String token = pad.isObject() ? pad.path("content").asText() : pad.asText(END);
    // Where nobody thought of a length it is 10^30.
    double most = keys.number("model_max_length", MAX_LENGTH);
    int length = most < 3 || most > 1 << 16 ? MAX_LENGTH : (int) most;
    return new ClipTokenizer(tokenizer, length, token, folder.toString());
  }

  /// The tokenizer of OpenAI's text encoder, for checkpoints without one.
  public static ClipTokenizer openAi() {
    return new ClipTokenizer(Tokenizers.clip(END), MAX_LENGTH, END, "CLIP");
  }

  /// The tokenizer of OpenCLIP's text encoders, which pads with "!", so that a "!" in a prompt is
  /// padding, too.
  public static ClipTokenizer openClip() {
    return new ClipTokenizer(Tokenizers.clip("!"), MAX_LENGTH, "!", "OpenCLIP");
  }

  /// The same with words that its text encoder was taught.
  ///
  /// @param vocabSize of the text encoder, behind which they have their ids
  /// @param second whether it is SDXL's second text encoder
  public ClipTokenizer with(List<TextualInversion> words, int vocabSize, boolean second) {
    return words.isEmpty()
        ? this
        : new ClipTokenizer(this, TaughtWords.of(words, vocabSize, second));
  }

  /// How many tokens a chunk has, with its beginning and end.
  public int length() {
    return length;
  }

  /// A prompt as it stands, in one chunk; what is too long is dropped.
  public ClipPrompt encode(String prompt) {
    int[] ids = ids(prompt);
    int kept = Math.min(ids.length, length - 2);
    String dropped = text(Arrays.copyOfRange(ids, kept, ids.length));
    var chunk = new Chunk();
    for (int i = 0; i < kept; i++) {
      chunk.add(ids[i], 1);
    }
    return new ClipPrompt(new int[][] {chunk.ids}, new float[][] {chunk.weights}, dropped);
  }

  /// A prompt in which words may have weights and which may have any length: `(word:1.2)`,
  /// `(word)`, `[word]`, `BREAK`, and `\(` for a bracket.
  public ClipPrompt encodeWeighted(String prompt) {
    var chunks = new ArrayList<Chunk>(List.of(new Chunk()));
    for (PromptWeights.Part part : PromptWeights.parse(prompt)) {
      if (part.text() == null) {
        chunks.add(new Chunk());
        continue;
      }
      for (int id : ids(part.text())) {
        if (chunks.getLast().isFull()) {
          chunks.add(new Chunk());
        }
        chunks.getLast().add(id, (float) part.weight());
      }
    }
    return new ClipPrompt(
        chunks.stream().map(c -> c.ids).toArray(int[][]::new),
        chunks.stream().map(c -> c.weights).toArray(float[][]::new),
        "");
  }

  /// The number of tokens of a text, without a beginning, an end and padding.
  public int count(String text) {
    return ids(text).length;
  }

  private int[] ids(String text) {
    return taught.encode(text, t -> tokenizer.encode(PromptCleaning.clean(t), false, true));
  }

  private String text(int[] ids) {
    int[] known = Arrays.stream(ids).filter(id -> id < taught.first()).toArray();
    return tokenizer.decode(known, false).replace("</w>", " ").strip();
  }

  /// Tokens after a beginning, before an end, and padding.
  private final class Chunk {
    final int[] ids = new int[length];
    final float[] weights = new float[length];
    private int size = 1;

    Chunk() {
      Arrays.fill(ids, pad);
      Arrays.fill(weights, 1);
      ids[0] = start;
      ids[1] = end;
    }

    boolean isFull() {
      return size == length - 1;
    }

    void add(int id, float weight) {
      ids[size] = id;
      weights[size++] = weight;
      ids[size] = end;
    }
  }
}
