package io.gatun.models.rewrite;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.quantize.ActivationAware;
import io.gatun.models.quantize.CalibratedRounding;
import io.gatun.models.quantize.LayerByLayer;
import io.gatun.models.quantize.Method;
import io.gatun.models.quantize.Sensitivity;
import io.gatun.models.quantize.Target;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;

/// Leads texts through a model for [Rewrite]. Each layer that is done is kept in a folder beside
/// the result, `OUT.partial`, until all is written.
final class Calibration implements AutoCloseable {
  private final Checkpoint checkpoint;
  private final Decoder decoder;
  private final Map<String, List<String>> expertsOf;
  private final Map<String, Target> targets;
  private final List<int[]> samples;
  private final Ops ops;

  /// @param checkpoint of the decoder
  /// @param expertsOf the experts' matrices that each stack becomes
  /// @param targets what is to be quantized, by names
  /// @param samples tokens of texts
  Calibration(
      Checkpoint checkpoint,
      Decoder decoder,
      Map<String, List<String>> expertsOf,
      Map<String, Target> targets,
      List<int[]> samples,
      int threads) {
    if (!decoder.layersStandAlone()) {
      throw new CheckpointException(
          "%s: layers of %s models use what earlier ones have computed, so that texts cannot go through them one by one. A method that needs no texts: --method hqq"
              .formatted(checkpoint.path(), decoder.config().modelType()));
    }
    this.checkpoint = checkpoint;
    this.decoder = decoder;
    this.expertsOf = expertsOf;
    this.targets = targets;
    this.samples = samples;
    ops = new Ops(Backend.NATIVE, threads, Precision.FAST);
  }

  private int layers() {
    return decoder.config().numHiddenLayers();
  }

  /// By how much answers change if matrices are rounded ([Sensitivity]), by the names of its units.
  Map<String, Double> sensitivity(FinishedLayers finished, IntConsumer progress) {
    var found = new LinkedHashMap<String, Double>();
    try (var sensitivity = new Sensitivity(decoder, ops, samples, targets.values())) {
      for (int i = 0; i < layers(); i++) {
        var kept = finished.read(i);
        if (kept != null) {
          sensitivity.skip();
        } else {
          var measured = sensitivity.next(some -> with(checkpoint.tensors(), some));
          try (var arena = Arena.ofConfined()) {
            var tensors = new LinkedHashMap<String, Tensor>();
            measured.forEach(
                (name, value) -> {
                  var tensor = Tensor.allocate(arena, DType.Plain.F32, 1);
                  tensor.segment().set(ValueLayout.JAVA_FLOAT, 0, value.floatValue());
                  tensors.put(name, tensor);
                });
            finished.write(i, tensors);
          }
          kept = finished.read(i);
        }
        kept.forEach(
            (name, t) -> found.put(name, (double) t.segment().get(ValueLayout.JAVA_FLOAT, 0)));
        progress.accept(i + 1);
      }
    }
    return found;
  }

  /// Quantizes what texts reach.
  Map<String, Tensor> quantize(Method method, FinishedLayers finished, IntConsumer progress) {
    var made = new LinkedHashMap<String, Tensor>();
    var tensors = new LinkedHashMap<>(checkpoint.tensors());
    try (var exact = new Ops(Backend.NATIVE, ops.workers().threads(), Precision.F32);
        var walk = rounding(method, exact)) {
      for (int i = 0; i < layers(); i++) {
        var matrices = finished.read(i);
        if (matrices == null) {
          try (var arena = Arena.ofShared()) {
            var rounded = new LinkedHashMap<>(walk.quantize(i, done -> with(tensors, done), arena));
            completeStacks(rounded, arena);
            finished.write(i, rounded);
          }
          matrices = finished.read(i);
        }
        made.putAll(matrices);
        walk.advance(with(tensors, matrices), i);
        tensors.putAll(matrices);
        expertsOf.forEach(
            (stack, experts) -> {
              if (made.containsKey(experts.getFirst())) {
                tensors.remove(stack);
              }
            });
        progress.accept(i + 1);
      }
    }
    return made;
  }

  private CalibratedRounding rounding(Method method, Ops exact) {
    var all = targets.values();
    return switch (method) {
      case GPTQ -> new LayerByLayer(decoder, ops, exact, samples, all);
      case AWQ -> new ActivationAware(decoder, checkpoint.tensors(), ops, exact, samples, all);
      case RTN, HQQ -> throw new AssertionError(method);
    };
  }

  /// The model with some matrices in place of those it has, of stacks of experts only whole ones.
  private Decoder with(Map<String, Tensor> tensors, Map<String, Tensor> matrices) {
    var all = new LinkedHashMap<>(tensors);
    all.putAll(matrices);
    expertsOf.forEach(
        (stack, experts) -> {
          if (matrices.keySet().containsAll(experts)) {
            all.remove(stack);
          } else if (all.containsKey(stack)) {
            all.keySet().removeAll(experts);
          }
        });
    return Architectures.open(QuantizedCheckpoint.with(checkpoint, all));
  }

  /// Experts that no token has chosen, of stacks of which another one was: rounded to the nearest.
  private void completeStacks(Map<String, Tensor> rounded, Arena arena) {
    for (var experts : expertsOf.values()) {
      if (experts.stream().anyMatch(rounded::containsKey)) {
        for (String name : experts) {
          rounded.computeIfAbsent(name, n -> targets.get(n).nearest(ops.workers(), arena));
        }
      }
    }
  }

  /// What tells this work from another.
  static String work(
      String what, Checkpoint checkpoint, List<int[]> samples, Map<String, Target> targets) {
    var text = new StringBuilder(what + " " + checkpoint.path().toAbsolutePath());
    try {
      for (var part : checkpoint.parts()) {
        text.append(' ').append(Files.getLastModifiedTime(part.path())).append(part.bytes());
      }
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(checkpoint.path(), e), e);
    }
    int tokens = 1;
    for (int[] sample : samples) {
      tokens = 31 * tokens + Arrays.hashCode(sample);
    }
    int types = 1;
    for (var target : targets.values()) {
      types = 31 * types + (target.name() + target.type().name()).hashCode();
    }
    return text.append(" %08x %08x".formatted(tokens, types)).toString();
  }

  @Override
  public void close() {
    ops.close();
  }
}
