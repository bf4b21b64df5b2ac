package io.gatun.models.decoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.UsedTensors;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// The tensors of a checkpoint by Hugging Face's names, their shapes checked against the
/// configuration. Matrices stay where the checkpoint has them.
///
/// What is handed out is recorded: so much one token reads.
public final class DecoderWeights {
  private final Source source;
  private final String prefix;
  private final double share;

  /// What all views of the weights share.
  private static final class Source {
    private final UsedTensors tensors;
    private final TensorNames names;
    private final Keys keys;
    // Norms and biases, converted to F32: a few kilobytes a layer.
    private final Arena arena = Arena.ofAuto();
    private final Set<String> split = new HashSet<>();
    private final Map<String, Boolean> stacks = new HashMap<>();
    private double bytes;
    private double weights;

    Source(UsedTensors tensors, TensorNames names, Keys keys) {
      this.tensors = tensors;
      this.names = names;
      this.keys = keys;
    }
  }

  private DecoderWeights(Source source, String prefix, double share) {
    this.source = source;
    this.prefix = prefix;
    this.share = share;
  }

  /// All weights of a model, none of which is read yet.
  ///
  /// @param ggufNames see [Architecture#ggufNames]
  /// @throws CheckpointException if it holds no embedding table
  static DecoderWeights of(Checkpoint checkpoint, Keys keys, Map<String, String> ggufNames) {
    var names = TensorNames.of(checkpoint, ggufNames);
    return new DecoderWeights(new Source(new UsedTensors(checkpoint), names, keys), "", 1);
  }

  /// The weights below `child`.
  public DecoderWeights at(String child) {
    return new DecoderWeights(source, prefix + child + ".", share);
  }

  /// Those of layer `i`.
  public DecoderWeights layer(int i) {
    return at("model.layers." + i);
  }

  /// The same, of which a token reads a share: the experts' of a mixture; none of a table.
  DecoderWeights shared(double newShare) {
    return new DecoderWeights(source, prefix, newShare);
  }

  TensorNames names() {
    return source.names;
  }

  /// Whether the pairs that are rotated lie side by side, in architectures for which Hugging Face
  /// has them in the two halves of a head, but Meta and GGUF do not.
  public boolean turnsNeighbours() {
    return source.names.family() != TensorNames.Family.HUGGING_FACE;
  }

  /// Whether the file is a GGUF.
  public boolean isGguf() {
    return source.names.family() == TensorNames.Family.GGUF;
  }

  public boolean has(String name) {
    String own = source.names.name(prefix + name);
    return own != null && source.tensors.has(own);
  }

  /// A matrix of any type, in place.
  ///
  /// @throws CheckpointException if it is missing, has another shape, or Gatun cannot compute with
  ///   its type
  public Tensor matrix(String name, long rows, long columns) {
    return counted(find(prefix + name + ".weight", Shape.of(rows, columns)));
  }

  private Tensor counted(Tensor matrix) {
    source.bytes += share * matrix.byteSize();
    source.weights += share * matrix.size();
    return matrix;
  }

  /// A linear layer (rows, columns), with a bias if the checkpoint has one.
  public Linear linear(String name, long rows, long columns) {
    return new Linear(matrix(name, rows, columns), bias(name, rows));
  }

  /// A bias as F32, or null where the checkpoint has none.
  public Tensor bias(String name, long rows) {
    return has(name + ".bias") ? f32(find(prefix + name + ".bias", Shape.of(rows))) : null;
  }

  /// Several linear layers whose rows lie one after the other in one tensor, in place.
  public Linear[] fused(String name, long columns, int... rows) {
    int all = Arrays.stream(rows).sum();
    var whole = whole(name, all, columns, partsAreTiles(rows));
    var parts = new Linear[rows.length];
    int from = 0;
    for (int i = 0; i < rows.length; i++) {
      int to = from + rows[i];
      var bias = whole.bias() == null ? null : whole.bias().slice(0, from, to);
      parts[i] = new Linear(whole.weight().slice(0, from, to), bias);
      from = to;
    }
    return parts;
  }

  /// Whether parts of so many rows each begin and end with a tile.
  private static boolean partsAreTiles(int... rows) {
    return Arrays.stream(rows, 0, rows.length - 1).allMatch(n -> n % DType.Tiled.ROWS == 0);
  }

  /// A layer that is read in parts.
  private Linear whole(String name, long rows, long columns, boolean tiles) {
    var whole = linear(name, rows, columns);
    if (!tiles && whole.weight().dtype() instanceof DType.Tiled) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is in tiles, but Gatun reads it in parts; quantize the model again from its source"
              .formatted(path(), source.names.name(prefix + name + ".weight")));
    }
    if (!tiles) {
      source.split.add(source.names.name(prefix + name + ".weight"));
    }
    return whole;
  }

  /// The file's own name for a tensor.
  ///
  /// @throws CheckpointException if it has none
  String own(String name) {
    return whole(prefix + name);
  }

  boolean hasOwn(String own) {
    return source.tensors.has(own);
  }

  /// A tensor of matrices by its own name.
  Tensor stored(String own, Shape shape) {
    return counted(checked(own, shape));
  }

  /// Notes that a tensor holds a matrix of each expert.
  ///
  /// @param turned whether inputs are its rows
  void stack(String own, boolean turned) {
    source.stacks.put(own, turned);
  }

  /// Notes that a matrix is read in parts that tiles do not allow.
  void readInParts(String own) {
    source.split.add(own);
  }

  /// The tensors that hold a matrix of each expert, and whether inputs are the matrices' rows.
  Map<String, Boolean> stacks() {
    return source.stacks;
  }

  /// The names of matrices that are read in parts, and cannot be in tiles.
  Set<String> split() {
    return source.split;
  }

  /// A vector as F32.
  ///
  /// @throws CheckpointException if it is missing or has another size
  public Tensor vector(String name, long size) {
    return floats(name, size);
  }

  /// A small tensor of any shape as F32.
  ///
  /// @throws CheckpointException if it is missing or has another shape
  public Tensor floats(String name, long... dims) {
    return f32(find(prefix + name, Shape.of(dims)));
  }

  /// The matrices of a mixture's experts.
  ///
  /// @param count of them
  /// @param perToken those that a token uses
  public ExpertWeights experts(int count, int perToken) {
    return new ExpertWeights(shared(share * perToken / count), count);
  }

  /// A matrix for each head in one tensor (H, N, K), in place.
  public Tensor headMatrices(String name, int heads, int rows, int columns) {
    source.split.add(source.names.name(prefix + name));
    return counted(find(prefix + name, Shape.of(heads, rows, columns)));
  }

  /// The same, one below the other in one matrix (H N, K).
  public Tensor stackedMatrices(String name, int heads, int rows, int columns) {
    var all = whole(name, (long) heads * rows, columns, false).weight();
    return all.reshape(heads, rows, columns);
  }

  /// Says that tensors are of no use, if there are any.
  public void leave(String... unused) {
    for (String name : unused) {
      source.tensors.use(source.names.name(prefix + name));
    }
  }

  private Tensor f32(Tensor t) {
    return Ops.toF32(t, source.arena);
  }

  /// An RMSNorm of `size` numbers.
  public Norm rmsNorm(String name, long size, float eps) {
    return new Norm.Rms(vector(name + ".weight", size), eps);
  }

  /// An RMSNorm without weights.
  public Norm unweightedRmsNorm(long size, float eps) {
    var ones = Tensor.allocate(source.arena, DType.Plain.F32, size);
    for (long i = 0; i < size; i++) {
      ones.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
    }
    return new Norm.Rms(ones, eps);
  }

  /// The same as [#rmsNorm], or none where the checkpoint has none.
  public Norm optionalRmsNorm(String name, long size, float eps) {
    return has(name + ".weight") ? rmsNorm(name, size, eps) : Norm.none();
  }

  /// An RMSNorm whose weights Hugging Face keeps as the difference from one (Gemma), or none where
  /// the checkpoint has none.
  public Norm shiftedRmsNorm(String name, long size, float eps) {
    if (!has(name + ".weight")) {
      return Norm.none();
    }
    var weight = vector(name + ".weight", size);
    for (long i = 0; !isGguf() && i < size; i++) {
      weight.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1 + weight.getFloat(i));
    }
    return new Norm.Rms(weight, eps);
  }

  /// A layer normalization of `size` numbers, its bias zero where the checkpoint has none.
  public Norm layerNorm(String name, long size, float eps) {
    var bias = bias(name, size);
    return new Norm.Layer(
        vector(name + ".weight", size),
        bias != null ? bias : Tensor.allocate(source.arena, DType.Plain.F32, size),
        eps);
  }

  /// The projections of an attention layer, one tensor each.
  public SelfAttention.Projections projections(SelfAttention.Heads heads, long d) {
    long q = (long) heads.query() * heads.dim();
    long kv = (long) heads.keyValue() * heads.dim();
    return new SelfAttention.Projections(
        linear("q_proj", q, d),
        linear("k_proj", kv, d),
        linear("v_proj", kv, d),
        linear("o_proj", d, q));
  }

  /// A gated feed-forward layer, one tensor for each projection.
  public GatedMlp gatedMlp(long f, long d, Activation activation) {
    return new GatedMlp(
        linear("gate_proj", f, d), linear("up_proj", f, d), linear("down_proj", d, f), activation);
  }

  /// A matrix of one row, which some GGUF files have as a vector.
  public Tensor row(String name, long columns) {
    String own = source.names.name(prefix + name + ".weight");
    var t = source.tensors.checkpoint().tensors().get(own);
    return t != null && t.shape().rank() == 1
        ? counted(find(prefix + name + ".weight", Shape.of(columns)).reshape(1, columns))
        : matrix(name, 1, columns);
  }

  /// What GGUF files divide the rotary frequencies by, or null.
  ///
  /// @param name of the tensor, in GGUF alone
  public float[] ropeDivisors(String name, int dim) {
    return source.tensors.has(name + ".weight")
        ? checked(name + ".weight", Shape.of(dim / 2)).toFloats()
        : null;
  }

  private Tensor find(String name, Shape shape) {
    return checked(whole(name), shape);
  }

  private String whole(String name) {
    String own = source.names.name(name);
    if (own == null) {
      throw new CheckpointException(
          "%s: no name is known for tensor \"%s\" in a file of this format. %s"
              .formatted(path(), name, list()));
    }
    return own;
  }

  private Tensor checked(String name, Shape shape) {
    Tensor t = source.tensors.use(name);
    if (t == null) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is missing; the model has %d layers. %s"
              .formatted(path(), name, source.keys.layers(), list()));
    }
    if (!t.shape().equals(shape)) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s %s; need %s, as the configuration says (%s). %s"
              .formatted(
                  path(), name, t.shape(), t.dtype().name(), shape, source.keys.sizes(), list()));
    }
    if (!Ops.supports(t.dtype())) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s, with which Gatun cannot compute; get the model as Q4_K, Q4_0,"
                  .formatted(path(), name, t.dtype().name())
              + " Q8_0 or BF16. "
              + list());
    }
    if (t.dtype() instanceof DType.Plain && !t.isContiguous()) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is stored transposed or with gaps; save it with .contiguous()"
              .formatted(path(), name));
    }
    return t;
  }

  /// Asks for a tensor that a key of config.json promises with this value.
  void requirePromised(boolean promised, String key, boolean value, String tensor) {
    if (promised && !has(tensor)) {
      throw new CheckpointException(
          "%s: \"%s\" is %s in config.json, but there is no tensor \"%s\": the configuration belongs to another model, or a part of the checkpoint is missing. %s"
              .formatted(path(), key, value, source.names.name(tensor), list()));
    }
  }

  /// @param others the names of tensors that have another place
  /// @throws CheckpointException if the checkpoint has tensors that nothing has asked for
  void requireAllUsed(Pattern others) {
    String known = Completeness.leftovers(source.names, source.keys).pattern();
    source.tensors.requireAllUsed(Pattern.compile(known + "|" + others.pattern()));
  }

  /// The bytes of matrices that one token reads.
  long bytesPerToken() {
    return Math.round(source.bytes);
  }

  /// The weights that one token is multiplied with.
  long weightsPerToken() {
    return Math.round(source.weights);
  }

  private Path path() {
    return source.tensors.checkpoint().path();
  }

  private String list() {
    return "List the file with: gatun inspect " + path();
  }
}
