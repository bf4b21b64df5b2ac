package io.gatun.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Interruption;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.TinyDecoder;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.lora.PeftAdapter;
import io.gatun.models.quantize.QuantizeConfig;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.io.File;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// A language model ready to use: checkpoint, architecture, tokenizer and threads.
///
/// ```java
/// try (var llm = Llm.load(Path.of("model.gguf"))) {
///   System.out.println(llm.generate("Once upon a time", 64));
/// }
/// ```
///
/// Any thread may use it: calls from several threads take turns, step by step, in the order in
/// which they come. An interrupt ends what a call computes within a layer, and the thread stays
/// interrupted ([LlmSession] has the details). The parts, such as [#model] and [#ops], are for one
/// thread at a time, and refuse a second one.
///
/// Several models may share threads, workspace and the memory of sessions, which the caller closes
/// after them:
///
/// ```java
/// try (var ops = new Ops(Backend.NATIVE, 8, Precision.FAST);
///     var pool = new KvPool(4L << 30);
///     var target = Llm.load(large, o -> o.ops(ops).pool(pool));
///     var draft = Llm.load(small, o -> o.ops(ops).pool(pool))) { ... }
/// ```
public final class Llm implements AutoCloseable {
  /// The weights that a process is prepared for before its model is known.
  private static final DType.Tiled MOST_USUAL = new DType.Tiled(4, 32);

  /// A model with fewer bytes is small.
  private static final long LEAST_BYTES = 64L << 20;

  /// Whether processes are prepared for what they load.
  private static volatile boolean prepares;

  private final Checkpoint checkpoint;
  private Checkpoint weights;
  private volatile Decoder model;
  private final Tokenizer tokenizer;
  private final Ops ops;
  private final LlmOptions options;
  private final CacheLayout layout;
  private final KvPool pool;

  /// @param weights what the model was made of: the checkpoint's tensors, or what was made of them
  private Llm(
      Checkpoint checkpoint,
      Checkpoint weights,
      Decoder model,
      Tokenizer tokenizer,
      Ops ops,
      LlmOptions options) {
    this.checkpoint = checkpoint;
    this.weights = weights;
    this.model = model;
    this.tokenizer = tokenizer;
    this.ops = ops;
    this.options = options;
    layout = model.layout(options.kv);
    pool = options.openPool();
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Llm load(String pathOrName) {
    return load(pathOrName, o -> {});
  }

  /// Loads a model; one of the hub's is fetched if it is not there.
  ///
  /// @param pathOrName what [NamedModels] knows: a path, `tiny-...`, `ORG/MODEL:QUANT`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Llm load(String pathOrName, Consumer<LlmOptions> choose) {
    return load(NamedModels.find(pathOrName), choose);
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Llm load(Path path) {
    return load(path, o -> {});
  }

  /// Loads a model from a GGUF file, a Hugging Face directory, or a checkpoint file that has its
  /// config.json (or Meta's params.json) and tokenizer beside it.
  ///
  /// @param pathOrName where it lies, or one of [Pretrained#NAMES]
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static Llm load(Path pathOrName, Consumer<LlmOptions> choose) {
    try {
      return open(pathOrName, choose);
    } catch (RuntimeException e) {
      throw Interruption.or(e);
    }
  }

  /// Begins to prepare this process for its first answer, on a thread of its own, and returns at
  /// once: kernels are compiled, at first for models that are packed to 4 bits, as most are, and
  /// when one is loaded, for its weights. Call it where there is time before; the first step then
  /// waits for products with its weights, if need be, and the rest is compiled after some steps.
  ///
  /// @return done when it has ended; what goes wrong there does no harm
  public static CompletableFuture<Void> warmUp() {
    prepares = true;
    return TinyDecoder.warmUp(MOST_USUAL, false);
  }

  /// The same where the model's name is known already: for a small one it begins when that is
  /// loaded, and first steps do not wait.
  ///
  /// @param pathOrName what [NamedModels] knows
  public static CompletableFuture<Void> warmUp(String pathOrName) {
    try {
      Path path = NamedModels.findHere(pathOrName);
      boolean small = path != null && bytes(path.toFile()) < LEAST_BYTES;
      if (!small) {
        return warmUp();
      }
      prepares = true;
      return CompletableFuture.completedFuture(null);
    } catch (CheckpointException e) { // who loads it is told
      return CompletableFuture.failedFuture(e);
    }
  }

  /// Of a file, or of those in a folder, or beside an index of them.
  private static long bytes(File path) {
    boolean index = path.getName().endsWith(".json");
    File[] files = (index ? path.getAbsoluteFile().getParentFile() : path).listFiles();
    return files == null ? path.length() : Stream.of(files).mapToLong(File::length).sum();
  }

  private static Llm open(Path pathOrName, Consumer<LlmOptions> choose) {
    var options = new LlmOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    options.check();
    Path path = NamedModels.find(pathOrName);
    var checkpoint =
        options.pack
            ? new PackedModels(options.threads(), options.cacheLimit, options.notices)
                .open(path, options.loadMode)
            : Checkpoint.open(path, options.loadMode);
    try {
      if (prepares) {
        warmUp(checkpoint);
      }
      var weights = PeftAdapter.adapted(checkpoint, NamedModels.findAll(options.loras));
      var model = Architectures.open(weights);
      Fit.of(checkpoint, model, options.kv)
          .require(options.context > 0 ? options.context : null, options.force);
      var tokenizer =
          options.tokenizer != null
              ? Tokenizers.load(options.tokenizer)
              : Tokenizers.load(path, checkpoint.metadata());
      var ops = options.openOps();
      return new Llm(checkpoint, weights, model, tokenizer, ops, options);
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private static void warmUp(Checkpoint checkpoint) {
    var bytes = new HashMap<DType, Long>();
    long all = 0;
    for (var tensor : checkpoint.tensors().values()) {
      if (tensor.shape().rank() == 2) {
        bytes.merge(tensor.dtype(), tensor.byteSize(), Long::sum);
        all += tensor.byteSize();
      }
    }
    boolean small = all < LEAST_BYTES;
    DType most = null;
    boolean tiled = false;
    for (var type : bytes.keySet()) {
      most = most == null || bytes.get(type) > bytes.get(most) ? type : most;
      if (type instanceof DType.Tiled) {
        tiled = true;
        var _ = TinyDecoder.warmUp(type, small);
      }
    }
    if (!tiled && most != null) {
      var _ = TinyDecoder.warmUp(most, small);
    }
    if (!bytes.containsKey(MOST_USUAL)) {
      TinyDecoder.drop(MOST_USUAL);
    }
  }

  /// See [Quantize#apply].
  void quantize(QuantizeConfig config) {
    try (var _ = ops.owner().turn()) {
      weights = Rewrite.quantized(weights, config).inMemory(ops.workers());
      model = Architectures.open(weights);
    }
  }

  /// The network.
  public Decoder model() {
    return model;
  }

  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /// The checkpoint, which is closed with the model and not otherwise.
  public Checkpoint checkpoint() {
    return checkpoint.lent();
  }

  public Ops ops() {
    return ops;
  }

  /// The memory of sessions.
  public KvPool pool() {
    return pool;
  }

  /// What it keeps of each sequence: `new Sequence(llm.pool(), llm.layout(), capacity)`.
  public CacheLayout layout() {
    return layout;
  }

  /// A conversation of its own, with an empty cache.
  ///
  /// @throws IllegalStateException if the model is closed
  public LlmSession newSession() {
    return newSession(contextLimit());
  }

  LlmSession newSession(int context) {
    ops.owner().checkOpen();
    return new LlmSession(this, new Sequence(pool, layout, context));
  }

  /// The most tokens that a session holds: as many as the options say, or the model was made for.
  public int contextLimit() {
    return hasOwnContext() ? options.context : model.config().maxPositionEmbeddings();
  }

  /// Whether the options say how long a session may be.
  boolean hasOwnContext() {
    return options.context > 0;
  }

  /// A conversation in the form of the checkpoint's own chat template.
  ///
  /// @throws CheckpointException if the checkpoint has no template
  /// @throws IllegalStateException if the model is closed
  public Chat newChat() {
    ops.owner().checkOpen();
    return new Chat(this, ChatTemplate.load(checkpoint.path(), checkpoint.metadata(), tokenizer));
  }

  /// Continues a text with the default options, by 256 tokens at most.
  ///
  /// @throws IllegalArgumentException as for the other `generate`
  public String generate(String prompt) {
    return generate(prompt, o -> {}).text();
  }

  /// Continues a text with the default options.
  ///
  /// @throws IllegalArgumentException as for the other `generate`
  public String generate(String prompt, int maxTokens) {
    return generate(prompt, o -> o.maxTokens(maxTokens)).text();
  }

  /// Continues a text.
  ///
  /// @throws IllegalArgumentException if the prompt is longer than the context
  public Generation generate(String prompt, Consumer<GenerateOptions> choose) {
    Objects.requireNonNull(prompt, "the prompt is null");
    var chosen = GenerateOptions.chosen(choose);
    ops.owner().checkOpen();
    int[] ids = tokenizer.encode(prompt);
    try (var session = newSession(atMost(ids.length + (long) chosen.maxTokens))) {
      return session.generate(ids, chosen);
    }
  }

  /// The logits, one per vocabulary entry, for the token after `text`.
  public float[] logits(String text) {
    Objects.requireNonNull(text, "the text is null");
    ops.owner().checkOpen();
    int[] ids = tokenizer.encode(text);
    try (var session = newSession(atMost(ids.length))) {
      return session.feed(ids);
    }
  }

  /// A context for so many tokens, as far as the model's goes: how long a text may become decides
  /// about the positions of some models.
  private int atMost(long tokens) {
    return Math.clamp(tokens, 1, contextLimit());
  }

  /// How well the model predicts a text, with the default options.
  ///
  /// @throws IllegalArgumentException if the text has fewer than two tokens
  public Perplexity perplexity(String text) {
    return perplexity(text, o -> {});
  }

  /// How well the model predicts a text that slides through its context.
  ///
  /// The text's tokens, BOS before them if the model's rules say so, are read in windows that
  /// overlap; every window after the first counts only the tokens that no earlier one did. The
  /// memory is that of one session, whatever the text's length.
  ///
  /// @throws IllegalArgumentException if the text has fewer than two tokens, or the windows would
  ///   leave gaps
  public Perplexity perplexity(String text, Consumer<PerplexityOptions> choose) {
    Objects.requireNonNull(text, "the text is null");
    var chosen = new PerplexityOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(chosen);
    return Perplexity.measure(this, text, chosen);
  }

  /// `Llm(model.gguf: llama, 22 layers of 2048, context 2048)`.
  @Override
  public String toString() {
    var name = checkpoint.path().getFileName();
    if (ops.owner().isClosed()) {
      return "Llm(%s: closed)".formatted(name);
    }
    var config = model.config();
    return "Llm(%s: %s, %d layers of %d, context %d)"
        .formatted(
            name,
            config.modelType(),
            config.numHiddenLayers(),
            config.hiddenSize(),
            contextLimit());
  }

  /// Ends the threads and unmaps the weights. Threads and memory that other models share stay.
  ///
  /// Other threads' calls end at their next operation, which is waited for, with an
  /// [IllegalStateException], `the model is closed`; so does every later use. Sessions keep their
  /// memory until they are closed themselves. A second call does nothing.
  @Override
  public void close() {
    ops.close();
    if (!options.sharesPool()) {
      pool.close();
    }
    checkpoint.close();
  }
}
