package io.gatun.tools.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.encoder.Encoders;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.FreeMemory;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What people want to know of a model first.
///
/// @param family what it is, or null if that cannot be told
/// @param context the tokens that it was made for; 0 for other models
/// @param contextBytes of keys and values for so many tokens, as `gatun generate` keeps them
/// @param problem why it does not run here, or null if it does
/// @param needs what Gatun lacks to run it, as far as that can be told
/// @param encoder null for what is no embedder or reranker
record ModelSummary(
    String family,
    long parameters,
    long weightBytes,
    String weightType,
    int context,
    long contextBytes,
    String problem,
    List<String> needs,
    EncoderSummary encoder) {
  /// Of an open checkpoint; nothing but its headers is read.
  static ModelSummary of(Checkpoint checkpoint) {
    var parameters = new HashMap<String, Long>();
    long all = 0;
    long bytes = 0;
    for (Tensor t : checkpoint.tensors().values()) {
      parameters.merge(t.dtype().name(), t.size(), Long::sum);
      all += t.size();
      bytes += t.byteSize();
    }
    String most =
        parameters.entrySet().stream()
            .max(Map.Entry.comparingByValue())
            .map(Map.Entry::getKey)
            .orElse("nothing");
    String problem;
    try {
      return new ModelSummary(sam(checkpoint), all, bytes, most, 0, 0, null, List.of(), null);
    } catch (CheckpointException | IllegalArgumentException e) {
      // Another kind.
    }
    try {
      return new ModelSummary(
          pipeline(checkpoint.path()), all, bytes, most, 0, 0, null, List.of(), null);
    } catch (CheckpointException | IllegalArgumentException e) {
      // Another kind.
    }
    String family = declared(checkpoint);
    int context = 0;
    long contextBytes = 0;
    EncoderSummary encoder = null;
    try {
      var keys = Keys.of(checkpoint);
      encoder = EncoderSummary.of(checkpoint);
      if (encoder != null) {
        family = encoder.family(keys);
        problem = encoder.problem();
      } else {
        context = keys.count("max_position_embeddings", 2048);
        family =
            "%s, %d layers of %d".formatted(keys.type(), keys.layers(), keys.count("hidden_size"));
        // Says what is missing, or of a type that has no kernel.
        var layout = Architectures.outline(checkpoint).layout(DType.Plain.F16);
        contextBytes = layout.pageBytes() * context / CacheLayout.PAGE + layout.recurrentBytes();
        problem = null;
      }
    } catch (CheckpointException | IllegalArgumentException e) {
      problem = e.getMessage();
    }
    var needs = problem == null ? List.<String>of() : needs(checkpoint);
    return new ModelSummary(
        family, all, bytes, most, context, contextBytes, problem, needs, encoder);
  }

  /// An architecture, types of tensors, a tokenizer.
  private static List<String> needs(Checkpoint checkpoint) {
    var needs = new ArrayList<String>();
    try {
      String type = Keys.of(checkpoint).type();
      if (!Architectures.types().contains(type)
          && !Encoders.types().contains(type.replace('-', '_'))) {
        needs.add("the architecture " + type);
      }
    } catch (CheckpointException | IllegalArgumentException e) {
      // No language model.
    }
    var types = new TreeMap<String, Integer>();
    for (Tensor t : checkpoint.tensors().values()) {
      if (!Ops.supports(t.dtype())) {
        types.merge(t.dtype().name(), 1, Integer::sum);
      }
    }
    types.forEach((type, count) -> needs.add("the type %s (%d tensors)".formatted(type, count)));
    if (checkpoint.metadata().containsKey("tokenizer.ggml.model")) {
      try {
        Tokenizers.load(checkpoint.path(), checkpoint.metadata());
      } catch (CheckpointException e) {
        needs.add("a tokenizer: " + e.getMessage());
      }
    }
    return needs;
  }

  private static String sam(Checkpoint checkpoint) {
    var config = SamConfig.of(checkpoint, 0);
    return "%s, %d layers of %d"
        .formatted(
            switch (config.kind()) {
              case SAM, HIGH_QUALITY -> "Segment Anything";
              case EFFICIENT -> "EfficientSAM";
              case SAM2 -> "Segment Anything 2";
            },
            config.encoder().depth(),
            config.encoder().embedDim());
  }

  /// What a pipeline calls itself.
  static String pipeline(Path path) {
    try (var files = PipelineFiles.open(path, LoadMode.MAP)) {
      return files.index().json().path("_class_name").asText("text-to-image pipeline");
    }
  }

  private static String declared(Checkpoint checkpoint) {
    return checkpoint.metadata().get("general.architecture") instanceof String name ? name : null;
  }

  /// Bits that a weight takes on average.
  double bitsPerWeight() {
    return parameters == 0 ? 0 : 8.0 * weightBytes / parameters;
  }

  /// Rows for people.
  Table asTable() {
    var table = new Table("ll");
    table.row("family", family == null ? "unknown" : family);
    table.row("parameters", Units.count(parameters));
    table.row("weights", "%s, %.2f bits each".formatted(weightType, bitsPerWeight()));
    if (encoder != null) {
      encoder.addTo(table);
    }
    if (context > 0) {
      table.row("context", "%,d tokens".formatted(context));
    }
    table.row("runs here", problem == null ? "yes" : "no: " + problem);
    if (!needs.isEmpty()) {
      table.row("needs", String.join("; ", needs));
    }
    var memory = new StringBuilder(Units.bytes(weightBytes) + " of weights");
    if (context > 0) {
      memory.append(", %s for a full context".formatted(Units.bytes(contextBytes)));
    }
    long free = FreeMemory.bytes();
    if (free < Long.MAX_VALUE) {
      memory.append("; %s are free".formatted(Units.bytes(free)));
      if (weightBytes > free) {
        memory.append(", so weights will be read from the disk again and again");
      } else if (weightBytes + contextBytes > free) {
        memory.append(", which is not enough for both: give a smaller --context");
      }
    }
    return table.row("memory", memory);
  }

  /// The same for programs.
  Map<String, Object> toMap() {
    var map = new LinkedHashMap<String, Object>();
    map.put("family", family);
    map.put("parameters", parameters);
    map.put("weight_type", weightType);
    map.put("weight_bytes", weightBytes);
    map.put("bits_per_weight", bitsPerWeight());
    map.put("context", context == 0 ? null : context);
    map.put("context_bytes", context == 0 ? null : contextBytes);
    map.put("runs", problem == null);
    map.put("problem", problem);
    map.put("needs", needs);
    if (encoder != null) {
      map.put("encoder", encoder.toMap());
    }
    return map;
  }
}
