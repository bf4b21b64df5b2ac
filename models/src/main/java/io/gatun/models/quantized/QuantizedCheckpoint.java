package io.gatun.models.quantized;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// A checkpoint with quantized layers, each of which has one matrix, `NAME.weight`, in place of its
/// parts. What it makes lives as long as the stored checkpoint.
///
/// @param tensors the matrices, and the stored tensors that are no parts of them
/// @param origins the stored tensors that each matrix was made of
public record QuantizedCheckpoint(
    Checkpoint stored, Map<String, Tensor> tensors, Map<String, Set<String>> origins)
    implements Checkpoint {
  /// Behind a matrix's name: its offsets (G, N) F32.
  public static final String OFFSETS = ".offsets";

  /// Behind a matrix's name: which columns its own are (K) I32.
  public static final String ORDER = ".order";

  /// The files of a model's folder that tell how its layers are read.
  public static final List<String> CONFIGURATIONS =
      List.of("config.json", "quantize_config.json", "hf_quant_config.json");

  /// The order matters where a layer has tensors of two of the names.
  private static final List<QuantizedFormat> FORMATS =
      List.of(
          new Gptq(),
          new Awq(),
          new CompressedIntegers(),
          Nvfp4.MODELOPT,
          Nvfp4.COMPRESSED,
          new ScaledBytes("weight_scale_inv"),
          new ScaledBytes("weight_scale"),
          new ScaledBytes("scale_weight"),
          new ScaledBytes("qscale_weight"),
          new BitsAndBytes4("nf4"),
          new BitsAndBytes4("fp4"),
          new BitsAndBytes8(),
          new Hqq(),
          new Torchao(),
          new Mlx(),
          new PackedTiles("weight" + QuantizedCheckpoint.OFFSETS),
          new PackedTiles("weight" + QuantizedCheckpoint.ORDER));

  /// Scales of a cache of keys and values, which has a type of its own here.
  private static final Pattern CACHE_SCALES = Pattern.compile(".*\\.(k|v|kv|q|prob)_scale");

  /// A checkpoint with other tensors than its own.
  public static Checkpoint with(Checkpoint checkpoint, Map<String, Tensor> tensors) {
    return checkpoint instanceof QuantizedCheckpoint q
        ? new QuantizedCheckpoint(q.stored, tensors, q.origins)
        : new QuantizedCheckpoint(checkpoint, tensors, Map.of());
  }

  /// The checkpoint with its quantized layers made matrices; the same one if it has none.
  ///
  /// @param config the model's config.json
  /// @throws CheckpointException if a layer or the configuration is of a kind that Gatun does not
  ///   read
  public static Checkpoint of(Checkpoint stored, JsonKeys config) {
    return of(stored, config, false);
  }

  /// The same with zeros for what would have to be made: types and shapes, without the work.
  ///
  /// @throws CheckpointException as [#of]
  public static Checkpoint outline(Checkpoint stored, JsonKeys config) {
    return of(stored, config, true);
  }

  private static Checkpoint of(Checkpoint stored, JsonKeys config, boolean outline) {
    if (stored.format() == Format.GGUF) {
      return gguf(stored);
    }
    var how = QuantizationConfig.of(config, stored.path());
    if (stored instanceof QuantizedCheckpoint) {
      return stored;
    }
    var tensors = new LinkedHashMap<>(stored.tensors());
    var origins = new LinkedHashMap<String, Set<String>>();
    try (var workers = new Workers(Workers.defaultThreads())) {
      for (String name : stored.tensors().keySet()) {
        for (var format : FORMATS) {
          if (name.endsWith("." + format.suffix())) {
            String layer = name.substring(0, name.length() - format.suffix().length() - 1);
            var parts = new StoredLayer(stored, layer, how, workers, outline);
            if (tensors.containsKey(name) && format.matches(parts)) {
              Tensor matrix = format.matrix(parts);
              tensors.keySet().removeAll(parts.used());
              tensors.put(layer + ".weight", matrix);
              origins.put(layer + ".weight", parts.used());
            }
          }
        }
      }
    }
    boolean tiles =
        stored.tensors().values().stream().anyMatch(t -> t.dtype() instanceof DType.Tiled);
    if (!tiles) {
      how.requireLayers(origins.size());
    }
    if (origins.isEmpty()) {
      return stored;
    }
    tensors.keySet().removeIf(name -> CACHE_SCALES.matcher(name).matches());
    return new QuantizedCheckpoint(
        stored, Collections.unmodifiableMap(tensors), Collections.unmodifiableMap(origins));
  }

  /// Whether a checkpoint has layers of integers, of which tiles are made.
  public static boolean hasIntegers(Checkpoint stored) {
    return stored.format() != Format.GGUF
        && stored.tensors().entrySet().stream()
            .anyMatch(e -> isOfIntegers(e.getKey(), e.getValue().dtype()));
  }

  private static boolean isOfIntegers(String tensor, DType type) {
    return FORMATS.stream()
        .anyMatch(format -> tensor.endsWith("." + format.suffix()) && format.isMade(type));
  }

  /// GGUF's types are whole in themselves, but for NVFP4, whose scale of the whole matrix is beside
  /// it: `NAME.scale`.
  private static Checkpoint gguf(Checkpoint stored) {
    var tensors = new LinkedHashMap<>(stored.tensors());
    var origins = new LinkedHashMap<String, Set<String>>();
    stored
        .tensors()
        .forEach(
            (name, w) -> {
              String layer = name.replaceFirst("\\.weight$", "");
              Tensor scale = stored.tensors().get(layer + ".scale");
              if (w.dtype() == DType.Block.NVFP4 && scale != null) {
                if (scale.size() != 1 || w.shape().rank() != 2) {
                  throw new CheckpointException(
                      "%s: tensor \"%s.scale\" is %s for a %s %s; need one number for a matrix"
                          .formatted(
                              stored.path(), layer, scale.shape(), w.shape(), w.dtype().name()));
                }
                var how = Dequantization.NONE.times(scale.toFloats()[0]);
                tensors.put(name, w.dequantized(how));
                origins.put(name, Set.of(name, layer + ".scale"));
                tensors.remove(layer + ".scale");
                tensors.remove(layer + ".input_scale");
              }
            });
    return tensors.size() == stored.tensors().size()
        ? stored
        : new QuantizedCheckpoint(
            stored, Collections.unmodifiableMap(tensors), Collections.unmodifiableMap(origins));
  }

  @Override
  public Path path() {
    return stored.path();
  }

  @Override
  public Format format() {
    return stored.format();
  }

  @Override
  public List<Part> parts() {
    return stored.parts();
  }

  @Override
  public Map<String, Object> metadata() {
    return stored.metadata();
  }

  @Override
  public Tensor tensor(String name) {
    Tensor made = isClosed() ? null : tensors.get(name);
    return made == null ? stored.tensor(name) : made;
  }

  @Override
  public Path file(String tensor) {
    var parts = origins.get(tensor);
    return stored.file(
        parts == null
            ? tensor
            : parts.stream().filter(stored.tensors()::containsKey).findFirst().orElseThrow());
  }

  @Override
  public Arena memory() {
    return stored.memory();
  }

  @Override
  public void readAhead() {
    stored.readAhead();
  }

  @Override
  public void unload() {
    stored.unload();
  }

  @Override
  public boolean isClosed() {
    return stored.isClosed();
  }

  @Override
  public void close() {
    stored.close();
  }
}
