package io.gatun.models.quantized;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.Format;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The tensors of a packed file in place of a checkpoint's own, beside which configuration and
/// tokenizer lie.
///
/// @param path of the checkpoint that was packed
/// @param metadata of it
public record PackedCheckpoint(Checkpoint packed, Path path, Map<String, Object> metadata)
    implements Checkpoint {
  @Override
  public Format format() {
    return packed.format();
  }

  @Override
  public List<Part> parts() {
    return packed.parts();
  }

  @Override
  public Map<String, Tensor> tensors() {
    return packed.tensors();
  }

  @Override
  public Tensor tensor(String name) {
    return packed.tensor(name);
  }

  @Override
  public Path file(String tensor) {
    return packed.file(tensor);
  }

  @Override
  public Arena memory() {
    return packed.memory();
  }

  @Override
  public void readAhead() {
    packed.readAhead();
  }

  @Override
  public void unload() {
    packed.unload();
  }

  @Override
  public boolean isClosed() {
    return packed.isClosed();
  }

  @Override
  public void close() {
    packed.close();
  }
}
