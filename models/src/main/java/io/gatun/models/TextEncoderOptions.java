package io.gatun.models;

import io.gatun.loaders.LoadMode;
import io.gatun.models.encoder.Pooling;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.runtime.Workers;
import java.util.function.Consumer;

/// How an encoder of texts is loaded: `TextEmbedder.load(path, o -> o.truncate(true))`.
public final class TextEncoderOptions {
  Backend backend = Backend.NATIVE;
  int threads = Workers.defaultThreads();
  boolean force;
  LoadMode loadMode = LoadMode.MAP;
  Pooling pooling;
  boolean truncate;
  String instruction = YesOrNo.INSTRUCTION;
  Consumer<String> notices = line -> {};
  Quantization.Mode quantization = Quantization.Mode.NONE;
  private DType.Plain dtype;

  TextEncoderOptions() {}

  /// Which kernels do the work; by default NATIVE.
  public TextEncoderOptions backend(Backend value) {
    backend = value;
    return this;
  }

  /// The threads that compute; by default the machine's physical cores.
  public TextEncoderOptions threads(int value) {
    threads = value;
    return this;
  }

  /// Where the weights live; by default in the file's mapping.
  public TextEncoderOptions loadMode(LoadMode value) {
    loadMode = value;
    return this;
  }

  /// Whether a model runs, too, that does not fit into the free memory, as slowly as the disk is;
  /// by default it is refused, with what would fit.
  public TextEncoderOptions force(boolean value) {
    force = value;
    return this;
  }

  /// The type of the activations: F32 or BF16; by default BF16 where products of it are faster than
  /// those of F32, else F32.
  public TextEncoderOptions dtype(DType.Plain value) {
    dtype = value;
    return this;
  }

  /// What linear layers keep in 8 bits; by default nothing. `INT8_DYNAMIC` rounds their inputs,
  /// too, and is the fastest where the processor has int8 products. Language models that make
  /// vectors are quantized beforehand.
  public TextEncoderOptions quantization(Quantization.Mode value) {
    quantization = value;
    return this;
  }

  /// How the states of tokens become one vector, where the model's files do not say. A reranker
  /// pools as its head does.
  public TextEncoderOptions pooling(Pooling value) {
    pooling = value;
    return this;
  }

  /// What a language model that ranks is told to judge by; by default whether a document answers a
  /// web search. Models with a head read no instruction.
  public TextEncoderOptions instruction(String value) {
    instruction = value;
    return this;
  }

  /// Whether a text that is too long for the model loses its end, which is told in a notice; by
  /// default it is refused.
  public TextEncoderOptions truncate(boolean value) {
    truncate = value;
    return this;
  }

  /// Takes the lines that tell of texts that were cut; by default nobody does.
  public TextEncoderOptions notices(Consumer<String> value) {
    notices = value;
    return this;
  }

  DType.Plain dtype() {
    return dtype == null ? Functional.fastest(backend) : dtype;
  }
}
