package io.gatun.models;

import io.gatun.loaders.LoadMode;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tensor.sequence.KvPool;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/// How a language model is loaded: `Llm.load(path, o -> o.threads(4).context(8192))`.
public final class LlmOptions {
  private Backend backend;
  private Precision precision;
  private int threads;
  private Ops ops;
  private KvPool pool;
  private long kvBudget;
  boolean force;
  LoadMode loadMode = LoadMode.MAP;
  Path tokenizer;
  DType.Plain kv = DType.Plain.F16;
  int context;
  boolean pack;
  long cacheLimit;
  final Map<Path, Double> loras = new LinkedHashMap<>();
  Consumer<String> notices = line -> {};

  LlmOptions() {}

  /// Which kernels do the work; by default NATIVE.
  public LlmOptions backend(Backend value) {
    backend = Objects.requireNonNull(value, "backend is null");
    return this;
  }

  /// Whether activations may be rounded for speed; by default FAST, they may.
  public LlmOptions precision(Precision value) {
    precision = Objects.requireNonNull(value, "precision is null");
    return this;
  }

  /// The threads that compute; by default the machine's physical cores.
  public LlmOptions threads(int value) {
    threads = Workers.checkThreads(value);
    return this;
  }

  /// The threads and the workspace of other models, instead of its own: models that share them
  /// compute in turn. The caller closes them, when no model needs them any more.
  public LlmOptions ops(Ops value) {
    ops = Objects.requireNonNull(value, "ops is null");
    return this;
  }

  /// Where the weights live; by default in the file's mapping.
  public LlmOptions loadMode(LoadMode value) {
    loadMode = Objects.requireNonNull(value, "loadMode is null");
    return this;
  }

  /// Whether a model runs, too, that does not fit into the free memory, as slowly as the disk is;
  /// by default it is refused, with what would fit.
  public LlmOptions force(boolean value) {
    force = value;
    return this;
  }

  /// The tokenizer's file, where it does not lie beside the checkpoint.
  public LlmOptions tokenizer(Path value) {
    tokenizer = value;
    return this;
  }

  /// The type of the key/value cache: F32, F16 (the default), BF16, or I8 with a scale for each key
  /// and value of a head.
  public LlmOptions kv(DType.Plain value) {
    kv = Objects.requireNonNull(value, "kv is null");
    return this;
  }

  /// The most bytes that the caches of all sessions may take together; by default no limit but the
  /// machine's.
  public LlmOptions kvBudget(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("kvBudget is " + value + "; need at least 1 byte");
    }
    kvBudget = value;
    return this;
  }

  /// The memory of other models' sessions, with its budget, instead of its own. The caller closes
  /// it.
  public LlmOptions pool(KvPool value) {
    pool = Objects.requireNonNull(value, "pool is null");
    return this;
  }

  /// The most positions a session may hold; by default what the model was made for.
  public LlmOptions context(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("context is " + value + "; need at least 1");
    }
    context = value;
    return this;
  }

  /// Whether a GGUF file, or the integers of GPTQ, AWQ and the like, are repacked for speed, once,
  /// into the user's cache, and mapped from there (see [PackedModels]); by default they are not,
  /// and a GGUF runs from its own blocks. The command line does.
  public LlmOptions pack(boolean value) {
    pack = value;
    return this;
  }

  /// The most bytes of packed files in the cache; by default 20 GB, or a tenth of the disk where
  /// that is more.
  public LlmOptions cacheLimit(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("cacheLimit is " + value + "; need at least 1 byte");
    }
    cacheLimit = value;
    return this;
  }

  /// Takes the lines that tell the user of unusual work, such as packing; by default nobody does.
  public LlmOptions notices(Consumer<String> value) {
    notices = Objects.requireNonNull(value, "notices is null");
    return this;
  }

  /// Adds a low-rank adaptation in PEFT's form ([io.gatun.models.lora.PeftAdapter]), more of them
  /// one after the other.
  ///
  /// @param adapter the folder, its adapter_model.safetensors, or a name on the hub
  /// @param strength 1 as it was trained; may be negative
  public LlmOptions lora(Path adapter, double strength) {
    if (loras.put(Objects.requireNonNull(adapter, "the adapter is null"), strength) != null) {
      throw new IllegalArgumentException(adapter + " is given twice");
    }
    return this;
  }

  /// Makes sure that nothing was chosen of what comes with parts that are shared.
  void check() {
    if (ops != null && (backend != null || precision != null || threads != 0)) {
      throw new IllegalArgumentException(
          "ops brings its own backend, precision and threads; leave those out, or ops");
    }
    if (pool != null && kvBudget != 0) {
      throw new IllegalArgumentException(
          "pool has a budget of its own, %d bytes; leave kvBudget out, or pool"
              .formatted(pool.budget()));
    }
  }

  /// The threads that compute.
  int threads() {
    return ops != null
        ? ops.workers().threads()
        : threads != 0 ? threads : Workers.defaultThreads();
  }

  /// What the model computes with, and closes.
  Ops openOps() {
    return ops != null
        ? ops.sharing()
        : new Ops(
            backend == null ? Backend.NATIVE : backend,
            threads(),
            precision == null ? Precision.FAST : precision);
  }

  /// Whether the model's sessions have a memory that is not only theirs.
  boolean sharesPool() {
    return pool != null;
  }

  KvPool openPool() {
    return pool != null ? pool : new KvPool(kvBudget == 0 ? Long.MAX_VALUE : kvBudget);
  }
}
