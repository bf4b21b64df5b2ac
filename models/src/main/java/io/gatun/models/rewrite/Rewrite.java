package io.gatun.models.rewrite;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.loaders.TensorData;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.TensorNames;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.quantize.QuantizeConfig;
import io.gatun.models.quantize.Target;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntConsumer;
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

  /// Null unless numbers are to be rounded.
  private QuantizeConfig config;

  /// Matrices that are rounded already, by their names.
  private final Map<String, Tensor> made = new HashMap<>();

  /// The experts' matrices that each stack becomes.
  private final Map<String, List<String>> expertsOf = new HashMap<>();

  /// What is kept of layers until all is written; null for nothing.
  private FinishedLayers finished;

  private FinishedLayers measured;

  private Rewrite(Checkpoint checkpoint) {
    this.checkpoint = QuantizedCheckpoint.of(checkpoint, Keys.of(checkpoint));
    // Whatever is wrong with the model is better said before minutes of work.
    decoder = Architectures.open(this.checkpoint);
    names = decoder.names();
  }

  /// Groups of each row as tiled integers: groups of the type's size, or, where rows are no whole
  /// groups of that, of the greatest size that fits; rounded to the nearest. The output matrix, to
  /// whose errors answers are most sensitive, has 8 bits.
  ///
  /// @throws CheckpointException if it is no model that Gatun can run, or no matrix can be
  ///   quantized
  public static Rewrite quantized(Checkpoint checkpoint, DType.Tiled type) {
    return quantized(checkpoint, QuantizeConfig.of(type.bits()).inGroupsOf(type.groupSize()));
  }

  /// The same as `config` says. If its method needs texts, [#calibrate] comes before [#write].
  ///
  /// @throws CheckpointException if it is no model that Gatun can run, or no matrix can be
  ///   quantized
  public static Rewrite quantized(Checkpoint checkpoint, QuantizeConfig config) {
    var rewrite = new Rewrite(checkpoint);
    rewrite.config = config;
    rewrite.planAll((name, from) -> config.filter().test(name) ? config.type() : from);
    rewrite.requireConverted(config.type());
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
      rewrite.planAll((name, from) -> type);
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
    rewrite.planAll((name, from) -> Objects.requireNonNullElse(Packing.tiledForm(from), from));
    return rewrite;
  }

  private void planAll(Choice choose) {
    if (checkpoint.format() == Format.GGUF) {
      metadata = new LinkedHashMap<>(checkpoint.metadata());
      // What speaks of the old file: how it is laid out, in how many parts, in which types.
      metadata
          .keySet()
          .removeIf(k -> k.matches("general\\.alignment|general\\.file_type|split\\..*"));
    }
    String head = names.name("lm_head.weight");
    String table = names.name("model.embed_tokens.weight");
    checkpoint
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (name.equals(head)) {
                plan(name, tensor, headChoice(choose));
              } else if (name.equals(table) && config != null) {
                plan(name, tensor, (_, from) -> orElse(config.embeddingType(), from));
              } else {
                plan(name, tensor, choose);
              }
            });
    if (!checkpoint.tensors().containsKey(head)) {
      planSharedHead(head, checkpoint.tensor(table), choose);
    }
  }

  /// An output that shares the embedding table. Blocks serve as both, and so do tiles, if both are
  /// to be of one type; else it gets a matrix of its own.
  private void planSharedHead(String head, Tensor embedding, Choice choose) {
    var type = headChoice(choose).type(head, embedding.dtype());
    boolean isShared = config != null && type.equals(config.embeddingType());
    if (!(embedding.dtype() instanceof DType.Tiled)
        && type instanceof DType.Tiled
        && !isShared
        && fitting(type, embedding.dim(1)).isPresent()) {
      plan(head, embedding, headChoice(choose));
    }
  }

  private Choice headChoice(Choice others) {
    return config == null ? others : (_, from) -> orElse(config.headType(), from);
  }

  private static DType orElse(DType type, DType from) {
    return type == null ? from : type;
  }

  /// What a tensor becomes.
  private interface Choice {
    DType type(String name, DType from);
  }

  private void plan(String name, Tensor tensor, Choice choose) {
    Boolean turned = decoder.expertStacks().get(name);
    boolean stack = turned != null;
    DType stored = tensor.dtype();
    boolean table = config != null && name.equals(names.name("model.embed_tokens.weight"));
    DType wanted = stack || table || names.isLinear(name) ? choose.type(name, stored) : stored;
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
        String own = TensorNames.ofExpert(name, expert);
        add(own, matrix, dtype);
        expertsOf.computeIfAbsent(name, _ -> new ArrayList<>()).add(own);
      }
    } else {
      add(name, tensor, dtype);
    }
  }

  private void add(String name, Tensor tensor, DType dtype) {
    var output = RewrittenTensor.of(name, tensor, dtype);
    outputs.add(config == null ? output : output.by(config.method()));
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

  /// The model's tensors with rewritten ones in place of theirs, in memory, where nothing is
  /// written to a file. They live as long as the checkpoint.
  public Checkpoint inMemory(Workers workers) {
    var tensors = new LinkedHashMap<>(checkpoint.tensors());
    for (var t : outputs) {
      if (t.dtype() instanceof DType.Tiled && !t.isCopy()) {
        var tensor = Tensor.allocate(checkpoint.memory(), t.dtype(), t.shape().dims());
        var at = new long[1];
        data(t, workers, bytes -> {})
            .writeTo(
                piece -> {
                  MemorySegment.copy(piece, 0, tensor.segment(), at[0], piece.byteSize());
                  at[0] += piece.byteSize();
                });
        tensors.put(t.name(), tensor);
      }
    }
    tensors.keySet().removeAll(expertsOf.keySet());
    return QuantizedCheckpoint.with(checkpoint, tensors);
  }

  /// The model that is rewritten.
  public Decoder decoder() {
    return decoder;
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

  /// Gives 8 bits to the matrices to whose rounding answers are most sensitive
  /// ([io.gatun.models.quantize.Sensitivity]), as many as fit; before [#calibrate], and resumable
  /// like it.
  ///
  /// @param bits of the integers of layers' matrices in the mean, scales not counted: from those of
  ///   the configuration to 8
  /// @param samples tokens of texts
  /// @param out where the result will be written
  /// @param threads that compute
  /// @param progress is told how many layers are measured
  /// @throws CheckpointException as [#calibrate]
  public void mix(double bits, List<int[]> samples, Path out, int threads, IntConsumer progress) {
    var targets = targets();
    Map<String, Double> divergences;
    try (var calibration = calibration(samples, out, threads)) {
      String work = Calibration.work("sensitivity", checkpoint, samples, targets);
      measured = finished(out, work, "sensitivity");
      divergences = calibration.sensitivity(measured, progress);
    }
    var mixture = Mixture.of(targets.values(), divergences, bits);
    for (String name : mixture.names()) {
      var type = new DType.Tiled(Mixture.MORE, targets.get(name).type().groupSize());
      outputs.replaceAll(t -> t.name().equals(name) ? t.as(type) : t);
    }
    notes.add(mixture.description());
  }

  /// Quantizes, layer by layer, what calibration texts reach
  /// ([io.gatun.models.quantize.CalibratedRounding]). Each layer that is done is kept in a folder
  /// beside the result, `OUT.partial`, until all is [written][#write]: the same call after an end
  /// at any moment goes on with the next.
  ///
  /// @param samples tokens of texts
  /// @param out where the result will be written
  /// @param threads that compute
  /// @param progress is told how many layers are done
  /// @throws CheckpointException if the model's layers cannot run one by one, or a file cannot be
  ///   written
  public void calibrate(List<int[]> samples, Path out, int threads, IntConsumer progress) {
    try (var calibration = calibration(samples, out, threads)) {
      String work = Calibration.work(config.method().name(), checkpoint, samples, targets());
      finished = finished(out, work, "layer");
      made.putAll(calibration.quantize(config.method(), finished, progress));
      outputs.replaceAll(t -> made.containsKey(t.name()) ? t.as(made.get(t.name()).dtype()) : t);
    }
  }

  private Calibration calibration(List<int[]> samples, Path out, int threads) {
    ModelFolder.requireOutside(checkpoint, out, !isGguf());
    return new Calibration(checkpoint, decoder, expertsOf, targets(), samples, threads);
  }

  private static FinishedLayers finished(Path out, String work, String prefix) {
    return new FinishedLayers(out.resolveSibling(out.getFileName() + ".partial"), work, prefix);
  }

  /// The matrices of layers that are rounded.
  private Map<String, Target> targets() {
    var targets = new LinkedHashMap<String, Target>();
    for (var t : outputs) {
      boolean table =
          t.name().equals(names.name("model.embed_tokens.weight"))
              || t.name().equals(names.name("lm_head.weight"));
      if (t.dtype() instanceof DType.Tiled type && !t.isCopy() && !table) {
        targets.put(t.name(), new Target(t.name(), t.sources().getFirst(), type));
      }
    }
    return targets;
  }

  private TensorData data(RewrittenTensor t, Workers workers, LongConsumer progress) {
    var done = made.get(t.name());
    return done == null
        ? t.data(workers, progress)
        : RewrittenTensor.of(t.name(), done, t.dtype()).data(workers, progress);
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
        writer.add(t.name(), t.dtype(), t.shape(), data(t, workers, progress));
      }
      writer.write(out);
      removeFinished();
      return;
    }
    try (var directory =
        new Companions(checkpoint.path(), out, isStoredQuantized, hasOwnOutput())) {
      writeTensors(directory.file("model.safetensors"), workers, progress);
      directory.copy();
    }
    removeFinished();
  }

  private void removeFinished() {
    for (var layers : Arrays.asList(measured, finished)) {
      if (layers != null) {
        layers.remove();
      }
    }
  }

  /// Writes the weights' file alone, of a model that is not GGUF, as [#write] does.
  ///
  /// @throws CheckpointException if it cannot be written
  public void writeTensors(Path file, Workers workers, LongConsumer progress) {
    var writer = new SafetensorsWriter().metadata("format", "pt");
    for (var t : outputs) {
      writer.add(t.name(), t.dtype(), t.shape(), data(t, workers, progress));
    }
    writer.write(file);
  }
}
