package io.gatun.models.sam;

import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.runtime.Workers;
import java.util.Objects;

/// How a Segment Anything model is loaded: `Sam.load(path, o -> o.dtype(DType.Plain.F32))`.
public final class SamOptions {
  Backend backend = Backend.NATIVE;
  int threads = Workers.defaultThreads();
  boolean force;
  LoadMode loadMode = LoadMode.MAP;
  Quantization.Mode quantization = Quantization.Mode.NONE;
  int imgSize;
  private DType.Plain dtype;

  SamOptions() {}

  /// Which kernels do the work; by default NATIVE.
  public SamOptions backend(Backend value) {
    backend = Objects.requireNonNull(value, "backend is null");
    return this;
  }

  /// The threads that compute; by default the machine's physical cores.
  public SamOptions threads(int value) {
    threads = Workers.checkThreads(value);
    return this;
  }

  /// Where the weights live; by default in the file's mapping.
  public SamOptions loadMode(LoadMode value) {
    loadMode = Objects.requireNonNull(value, "loadMode is null");
    return this;
  }

  /// Whether a model runs, too, that does not fit into the free memory, as slowly as the disk is;
  /// by default it is refused, with what would fit.
  public SamOptions force(boolean value) {
    force = value;
    return this;
  }

  /// The type of the activations: F32 or BF16; by default BF16 where products of it are faster than
  /// those of F32, else F32.
  public SamOptions dtype(DType.Plain value) {
    dtype = value;
    return this;
  }

  /// How the linear layers of the image encoder are quantized; by default they are not.
  public SamOptions quantization(Quantization.Mode value) {
    quantization = Objects.requireNonNull(value, "quantization is null");
    return this;
  }

  /// The side of the square that images are fitted into, in pixels, a multiple of the model's patch
  /// size; by default what the model was made for. Positions are interpolated for others: smaller
  /// ones are faster and see less detail.
  public SamOptions imgSize(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("the image size is " + value + "; need at least 1");
    }
    imgSize = value;
    return this;
  }

  DType.Plain dtype() {
    return dtype == null ? Functional.fastest(backend) : dtype;
  }
}
