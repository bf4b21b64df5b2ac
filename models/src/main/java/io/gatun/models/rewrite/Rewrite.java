package io.gatun.models.rewrite;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.TensorNames;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongConsumer;

/// A checkpoint of a decoder to be written again with the matrices of its linear layers in another
/// type. Norms, biases, the embedding table and a mixture's router stay as they are; an output that
/// shares the embedding table gets a matrix of its own.
///
/// GGUF stays GGUF, with all its metadata, so that tokenizer and configuration are in the file as
/// before; everything else becomes safetensors, under the same names. The checkpoint must be open
/// until it is written.
public final class Rewrite {
  private final Checkpoint checkpoint;
  private final Decoder decoder;
  private final TensorNames names;
  private final List<RewrittenTensor> outputs = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /// Quantized layers whose parts become tiles.
  private int tiledParts;

  /// Whether quantized layers are written as they were stored.
  private boolean isStoredQuantized;

  /// Of the GGUF file to be; null if it is none.
  private Map<String, Object> metadata;

  /// Of the output matrix; null for that of the others.
  private DType.Tiled outputType;

  private Rewrite(Checkpoint checkpoint) {
    this.checkpoint = QuantizedCheckpoint.of(checkpoint, Keys.of(checkpoint));
    // Whatever is wrong with the model is better said before minutes of work.
    decoder = Architectures.open(this.checkpoint);
    names = decoder.names();
  }

  /// Groups of each row as tiled integers: groups of the type's size, or, where rows are no whole
  /// groups of that, of the greatest size that fits. The output matrix, to whose errors answers are
  /// most sensitive, has 8 bits.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run, or no matrix can be
  ///   quantized
  public static Rewrite quantized(Checkpoint checkpoint, DType.Tiled type) {
    var rewrite = new Rewrite(checkpoint);
    rewrite.outputType = new DType.Tiled(8, type.groupSize());
    rewrite.planAll(from -> type);
    rewrite.requireConverted(type);
    return rewrite;
  }

  private void requireConverted(DType type) {
    if (converted() == 0) {
      throw new CheckpointException(
          "%s: nothing to quantize: no matrix is of another type than %s and has rows that are whole groups of 32"
              .formatted(checkpoint.path(), type.name()));
    }
  }

  /// GGUF blocks, in a file that other programs can run too, whatever the checkpoint is now.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run, its tokenizer has no form in
  ///   GGUF, or it is such a file already
  public static Rewrite gguf(Checkpoint checkpoint, DType.Block type) {
    var rewrite = new Rewrite(checkpoint);
    if (checkpoint.format() == Format.GGUF) {
      rewrite.planAll(from -> type);
      rewrite.requireConverted(type);
    } else {
      var export = new GgufExport(checkpoint, rewrite.decoder.config(), rewrite.names, type);
      rewrite.metadata = export.metadata();
      rewrite.outputs.addAll(export.tensors(rewrite.notes));
    }
    // Numbers of llama.cpp's llama_ftype.
    switch (type) {
      case Q4_0 -> rewrite.metadata.put("general.file_type", 2);
      case Q8_0 -> rewrite.metadata.put("general.file_type", 7);
      default -> {}
    }
    return rewrite;
  }

  /// The same values in tiles, where a type has a tiled form.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run
  public static Rewrite packed(Checkpoint checkpoint) {
    var rewrite = new Rewrite(checkpoint);
    rewrite.planAll(from -> Objects.requireNonNullElse(Packing.tiledForm(from), from));
    return rewrite;
  }

  private void planAll(Function<DType, DType> choose) {
    if (checkpoint.format() == Format.GGUF) {
      metadata = new LinkedHashMap<>(checkpoint.metadata());
      // What speaks of the old file: how it is laid out, in how many parts, in which types.
      metadata
          .keySet()
          .removeIf(k -> k.matches("general\\.alignment|general\\.file_type|split\\..*"));
    }
    String head = names.name("lm_head.weight");
    Function<DType, DType> chooseOutput = outputType == null ? choose : from -> outputType;
    checkpoint
        .tensors()
        .forEach((name, tensor) -> plan(name, tensor, name.equals(head) ? chooseOutput : choose));
    if (!checkpoint.tensors().containsKey(head)) {
      var embedding = checkpoint.tensor(names.name("model.embed_tokens.weight"));
      // Blocks serve as table and as output; tiles as output alone.
      if (!(embedding.dtype() instanceof DType.Tiled)
          && choose.apply(embedding.dtype()) instanceof DType.Tiled type
          && fitting(type, embedding.dim(1)).isPresent()) {
        plan(head, embedding, chooseOutput);
      }
    }
  }

  private void plan(String name, Tensor tensor, Function<DType, DType> choose) {
    Boolean turned = decoder.expertStacks().get(name);
    boolean stack = turned != null;
    DType stored = tensor.dtype();
    DType wanted = stack || names.isLinear(name) ? choose.apply(stored) : stored;
    if (wanted instanceof DType.Tiled && decoder.readInParts().contains(name)) {
      notes.add("%s stays %s: it is read in parts".formatted(name, stored.name()));
      wanted = stored;
    } else if (wanted instanceof DType.Tiled && stored == DType.Block.MXFP4) {
      notes.add("%s stays MXFP4, which has 4 bits already".formatted(name));
      wanted = stored;
    }
    int rank = tensor.shape().rank();
    long columns = rank == 0 ? 1 : tensor.dim(stack && turned ? -2 : -1);
    DType dtype = fitting(wanted, columns).orElse(stored);
    if (!dtype.equals(wanted)) {
      notes.add(
          "%s %s %s: its rows of %d are no whole groups of %d"
              .formatted(
                  name,
                  dtype.equals(stored) ? "stays" : "becomes",
                  dtype.name(),
                  columns,
                  wanted.blockSize()));
    }
    if (dtype.equals(stored) && made(name) != null) {
      keep(name, tensor);
    } else if (dtype instanceof DType.Tiled && stack) {
      for (long expert = 0; expert < tensor.dim(0); expert++) {
        var matrix = turned ? tensor.get(expert).transpose(0, 1) : tensor.get(expert);
        outputs.add(RewrittenTensor.of(TensorNames.ofExpert(name, expert), matrix, dtype));
      }
    } else {
      outputs.add(RewrittenTensor.of(name, tensor, dtype));
    }
  }

  /// The stored tensors that a quantized layer's matrix was made of; null for others.
  private Set<String> made(String name) {
    return checkpoint instanceof QuantizedCheckpoint q ? q.origins().get(name) : null;
  }

  /// A quantized layer that keeps its type: as tiles with what is beside them, or, where its
  /// numbers are the file's, as it was stored.
  private void keep(String name, Tensor tensor) {
    var how = tensor.dequantization();
    if (!(tensor.dtype() instanceof DType.Tiled)) {
      var stored = ((QuantizedCheckpoint) checkpoint).stored().tensors();
      isStoredQuantized = true;
      for (String part : made(name)) {
        if (stored.containsKey(part)) {
          outputs.add(RewrittenTensor.of(part, stored.get(part), stored.get(part).dtype()));
        }
      }
      return;
    }
    var before = ((QuantizedCheckpoint) checkpoint).stored().tensors().get(name);
    tiledParts += before == null || !tensor.dtype().equals(before.dtype()) ? 1 : 0;
    outputs.add(RewrittenTensor.of(name, tensor.dequantized(null), tensor.dtype()));
    if (how != null && how.offsets() != null) {
      outputs.add(
          RewrittenTensor.of(
              name + QuantizedCheckpoint.OFFSETS, how.offsets(), how.offsets().dtype()));
    }
    if (how != null && how.order() != null) {
      outputs.add(
          RewrittenTensor.of(name + QuantizedCheckpoint.ORDER, how.order(), how.order().dtype()));
    }
  }

  /// The type with the greatest groups, `wanted`'s at most, of which rows of `columns` are whole
  /// ones.
  private static Optional<DType> fitting(DType wanted, long columns) {
    if (columns % wanted.blockSize() == 0) {
      return Optional.of(wanted);
    }
    if (wanted instanceof DType.Tiled tiled && !tiled.minima() && tiled.groupSize() > 32) {
      return fitting(new DType.Tiled(tiled.bits(), tiled.groupSize() / 2), columns);
    }
    return Optional.empty();
  }

  /// How many tensors change their type; if none does there is no point in writing.
  public int converted() {
    return tiledParts + (int) outputs.stream().filter(t -> !t.isCopy()).count();
  }

  /// Whether the result is one GGUF file, and not a directory.
  public boolean isGguf() {
    return metadata != null;
  }

  /// What the user may want to know: matrices that keep their type, and why.
  public List<String> notes() {
    return notes;
  }

  private boolean hasOwnOutput() {
    String head = names.name("lm_head.weight");
    return outputs.stream().anyMatch(t -> t.name().equals(head));
  }

  /// The bytes of all tensors as they will be.
  public long bytes() {
    return outputs.stream().mapToLong(RewrittenTensor::bytes).sum();
  }

  /// Writes a GGUF file, or a directory with model.safetensors and what belongs to it:
  /// configuration, tokenizer, licence. The weights' file appears under its name when it is
  /// complete.
  ///
  /// @param out the file, or the directory, which is made if it is not there
  /// @param progress is told the tensors' bytes as they are written, piece by piece
  /// @throws CheckpointException if it cannot be written, when nothing is left of it; or if it
  ///   would be written over the model that is read, into its directory, or into the one above
  public void write(Path out, Workers workers, LongConsumer progress) {
    ModelFolder.requireOutside(checkpoint, out, !isGguf());
    if (isGguf()) {
      var writer = new GgufWriter();
      metadata.forEach(writer::metadata);
      for (var t : outputs) {
        writer.add(t.name(), t.dtype(), t.shape(), t.data(workers, progress));
      }
      writer.write(out);
      return;
    }
    try (var directory =
        new Companions(checkpoint.path(), out, isStoredQuantized, hasOwnOutput())) {
      writeTensors(directory.file("model.safetensors"), workers, progress);
      directory.copy();
    }
  }

  /// Writes the weights' file alone, of a model that is not GGUF, as [#write] does.
  ///
  /// @throws CheckpointException if it cannot be written
  public void writeTensors(Path file, Workers workers, LongConsumer progress) {
    var writer = new SafetensorsWriter().metadata("format", "pt");
    for (var t : outputs) {
      writer.add(t.name(), t.dtype(), t.shape(), t.data(workers, progress));
    }
    writer.write(file);
  }
}
