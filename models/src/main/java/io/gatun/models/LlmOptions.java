package io.gatun.models;

import io.gatun.loaders.LoadMode;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.Workers;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Consumer;

/// How a language model is loaded: `Llm.load(path, o -> o.threads(4).context(8192))`.
public final class LlmOptions {
  Backend backend = Backend.NATIVE;
  Precision precision = Precision.FAST;
  int threads = Workers.defaultThreads();
  LoadMode loadMode = LoadMode.MAP;
  Path tokenizer;
  DType.Plain kv = DType.Plain.F16;
  long kvBudget = Long.MAX_VALUE;
  int context;
  boolean pack;
  long cacheLimit;
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

  /// Where the weights live; by default in the file's mapping.
  public LlmOptions loadMode(LoadMode value) {
    loadMode = Objects.requireNonNull(value, "loadMode is null");
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

  /// The most positions a session may hold; by default what the model was made for.
  public LlmOptions context(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("context is " + value + "; need at least 1");
    }
    context = value;
    return this;
  }

  /// Whether a GGUF file is repacked for speed, once, into the user's cache, and mapped from there
  /// (see [PackedModels]); by default it is not, and runs from its own blocks. The command line
  /// does.
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
}
