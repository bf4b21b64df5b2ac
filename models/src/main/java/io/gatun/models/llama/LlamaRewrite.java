package io.gatun.models.llama;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.loaders.TensorData;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Workers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.LongConsumer;

/// A checkpoint of the Llama family to be written again with the matrices of its linear layers in
/// another type. Norms, biases, the embedding table and a mixture's router stay as they are; an
/// output that shares the embedding table gets a matrix of its own.
///
/// GGUF stays GGUF, with all its metadata, so that tokenizer and configuration are in the file as
/// before; everything else becomes safetensors, under the same names. The checkpoint must be open
/// until it is written.
public final class LlamaRewrite {
  /// A tensor to write.
  private record Output(String name, Tensor source, DType dtype) {
    Shape shape() {
      return source.shape();
    }

    long bytes() {
      return dtype.byteSize(shape());
    }
  }

  private final Checkpoint checkpoint;
  private final LlamaNames names;
  private final List<Output> outputs = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private int converted;

  private LlamaRewrite(Checkpoint checkpoint, Function<DType, DType> choose) {
    // Whatever is wrong with the model is better said before hours of work.
    new Llama(LlamaConfig.of(checkpoint), checkpoint);
    this.checkpoint = checkpoint;
    names = LlamaNames.of(checkpoint);
    checkpoint.tensors().forEach((name, tensor) -> plan(name, tensor, choose));
    String head = names.name("lm_head.weight");
    if (!checkpoint.tensors().containsKey(head)) {
      var embedding = checkpoint.tensor(names.name("model.embed_tokens.weight"));
      if (!choose.apply(embedding.dtype()).equals(embedding.dtype())) {
        plan(head, embedding, choose);
      }
    }
  }

  /// Groups of each row as tiled integers.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run
  public static LlamaRewrite quantized(Checkpoint checkpoint, DType.Tiled type) {
    return new LlamaRewrite(checkpoint, from -> type);
  }

  /// The same values in tiles, where a type has a tiled form.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run
  public static LlamaRewrite packed(Checkpoint checkpoint) {
    return new LlamaRewrite(
        checkpoint, from -> Objects.requireNonNullElse(Packing.tiledForm(from), from));
  }

  private void plan(String name, Tensor tensor, Function<DType, DType> choose) {
    DType dtype = names.isLinear(name) ? choose.apply(tensor.dtype()) : tensor.dtype();
    if (dtype.equals(tensor.dtype())) {
      outputs.add(new Output(name, tensor, dtype));
    } else if (tensor.dim(-1) % dtype.blockSize() != 0) {
      notes.add(
          "%s stays %s: its rows of %d are no whole groups of %d"
              .formatted(name, tensor.dtype().name(), tensor.dim(-1), dtype.blockSize()));
      outputs.add(new Output(name, tensor, tensor.dtype()));
    } else if (tensor.shape().rank() == 3) {
      for (long expert = 0; expert < tensor.dim(0); expert++) {
        String one = name.replace("_exps.", "." + expert + ".");
        outputs.add(new Output(one, tensor.get(expert), dtype));
      }
      converted++;
    } else {
      outputs.add(new Output(name, tensor, dtype));
      converted++;
    }
  }

  /// How many tensors change their type; if none does there is no point in writing.
  public int converted() {
    return converted;
  }

  /// What the user may want to know: matrices that keep their type, and why.
  public List<String> notes() {
    return notes;
  }

  /// The bytes of all tensors as they will be.
  public long bytes() {
    return outputs.stream().mapToLong(Output::bytes).sum();
  }

  /// Writes a GGUF file, or a directory with model.safetensors and what belongs to it:
  /// configuration, tokenizer, licence. The weights' file appears under its name when it is
  /// complete.
  ///
  /// @param out the file, or the directory, which is made if it is not there
  /// @param progress is told the tensors' bytes as they are written, piece by piece
  /// @throws CheckpointException if it cannot be written; nothing is left of it
  public void write(Path out, Workers workers, LongConsumer progress) {
    if (checkpoint.format() == Format.GGUF) {
      writeGguf(out, workers, progress);
      return;
    }
    try (var directory = new Companions(checkpoint.path(), out)) {
      var writer = new SafetensorsWriter().metadata("format", "pt");
      for (var o : outputs) {
        writer.add(o.name, o.dtype, o.shape(), data(o, workers, progress));
      }
      writer.write(out.resolve("model.safetensors"));
      directory.copy();
    }
  }

  private void writeGguf(Path file, Workers workers, LongConsumer progress) {
    var writer = new GgufWriter();
    checkpoint
        .metadata()
        .forEach(
            (key, value) -> {
              // What speaks of the old file: how it is laid out, in how many parts, in which types.
              if (!key.matches("general\\.alignment|general\\.file_type|split\\..*")) {
                writer.metadata(key, value);
              }
            });
    for (var o : outputs) {
      writer.add(o.name, o.dtype, o.shape(), data(o, workers, progress));
    }
    writer.write(file);
  }

  private static TensorData data(Output o, Workers workers, LongConsumer progress) {
    if (o.dtype.equals(o.source.dtype())) {
      return sink -> {
        sink.write(o.source.segment());
        progress.accept(o.bytes());
      };
    }
    return sink ->
        Packing.convert(
            workers,
            o.source,
            o.dtype,
            piece -> {
              sink.write(piece);
              progress.accept(piece.byteSize());
            });
  }
}
