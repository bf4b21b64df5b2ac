package io.gatun.models.sam.video;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.modeling.Mlp;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// What SAM 2 has beside the networks for images: how a frame becomes a memory, and how a frame
/// sees memories.
///
/// @see MemoryBank the memories of an object
final class MemoryNetworks {
  final MemoryEncoder encoder;
  final Mlp objPtrProj;
  final float[] noObjPtr;
  final MaskDownsample maskDownsample;
  final int numMaskmem;
  final int memDim;

  private final MemoryAttention attention;
  private final int channels;
  private final LinearWeight objPtrTposProj; // or null, in SAM 2.0
  // Where a memory's cells are, and how long ago it was: of each distance (G G, M).
  private final List<Tensor> maskmemPositions = new ArrayList<>();

  MemoryNetworks(Weights weights, SamConfig config, Functional f) {
    var ages = weights.shape("maskmem_tpos_enc");
    numMaskmem = Math.toIntExact(ages.dim(0));
    memDim = Math.toIntExact(ages.dim(3));
    channels = config.outChans();
    encoder = new MemoryEncoder(weights, config, memDim, f);
    attention = new MemoryAttention(weights.at("memory_attention"), config, memDim, f);
    objPtrProj = new Mlp(weights.at("obj_ptr_proj"), channels, channels, channels);
    noObjPtr = weights.tensor("no_obj_ptr", 1, channels).toFloats();
    maskDownsample = new MaskDownsample(weights.at("mask_downsample"));
    objPtrTposProj =
        weights.has("obj_ptr_tpos_proj.weight")
            ? weights.linear("obj_ptr_tpos_proj", memDim, channels)
            : null;
    var cells = SinePositions.ofCells(config.grid(), memDim);
    for (int i = 0; i < numMaskmem; i++) {
      int age = i;
      var table = weights.tensor("maskmem_tpos_enc", numMaskmem, 1, 1, memDim);
      maskmemPositions.add(
          Constants.keep(
              f, () -> f.add(f.cast(cells), f.cast(table.slice(0, age, age + 1)).reshape(memDim))));
    }
  }

  /// A frame's embedding (1, G, G, C) as it is after a look at memories: (1, G, G, C).
  ///
  /// @param longest how far back pointers reach at the most
  Tensor condition(Functional f, Tensor embedding, MemoryBank bank, int frame, int longest) {
    var seen = bank.seen(frame, numMaskmem);
    var pointers = bank.pointers(frame, longest);
    long cells = embedding.dim(1) * embedding.dim(2);
    int splits = channels / memDim;
    long spatial = seen.size() * cells;
    var memory = f.empty(1, spatial + (long) pointers.size() * splits, memDim);
    var keys = f.empty(1, memory.dim(1), memDim);
    long row = 0;
    for (var m : seen) {
      // What was prompted has the last place in the table, whenever it was.
      int place = m.age() == 0 ? numMaskmem - 1 : m.age() - 1;
      put(m.features(), memory, row);
      put(f.add(m.features(), maskmemPositions.get(place)), keys, row);
      row += cells;
    }
    if (!pointers.isEmpty()) {
      putPointers(f, pointers, longest, memory, keys, row);
    }
    return attention
        .forward(f, embedding.reshape(1, cells, channels), memory, keys, spatial)
        .reshape(embedding.shape().dims());
  }

  /// A pointer is cut into memories of M channels, all of one age.
  private void putPointers(
      Functional f,
      List<MemoryBank.Pointer> pointers,
      int longest,
      Tensor memory,
      Tensor keys,
      long row) {
    int n = pointers.size();
    int splits = channels / memDim;
    var values = new float[n * channels];
    var ages = new float[n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(pointers.get(i).values(), 0, values, i * channels, channels);
      ages[i] = (float) pointers.get(i).age() / (longest - 1);
    }
    var rows = f.cast(tensor(f, values, (long) n * splits, memDim));
    put(rows, memory, row);
    if (objPtrTposProj == null) {
      put(rows, keys, row);
      return;
    }
    var times = f.cast(tensor(f, SinePositions.ofTimes(ages, channels), n, channels));
    var places = f.linear(times, objPtrTposProj); // (n, M)
    for (int i = 0; i < n; i++) {
      var mine = rows.slice(0, (long) i * splits, (long) (i + 1) * splits);
      put(f.add(mine, places.get(i)), keys, row + (long) i * splits);
    }
  }

  private static Tensor tensor(Functional f, float[] values, long... dims) {
    var t = f.ops().empty(dims);
    MemorySegment.copy(MemorySegment.ofArray(values), 0, t.segment(), 0, 4L * values.length);
    return t;
  }

  private static void put(Tensor rows, Tensor all, long row) {
    long bytes = all.byteSize() / all.dim(1);
    MemorySegment.copy(rows.segment(), 0, all.segment(), row * bytes, rows.byteSize());
  }
}
