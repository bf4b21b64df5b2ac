package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import java.util.function.Predicate;

/// How a model is to be quantized.
///
/// @param method how weights are rounded
/// @param bits 4 or 8
/// @param groupSize weights of a row that share a scale: 32, 64 or 128
/// @param headBits of the output matrix, 4, 8, or 16 for the type it has
/// @param embeddingBits of the embedding table, likewise
/// @param filter which tensors are quantized, by the checkpoint's own names
public record QuantizeConfig(
    Method method,
    int bits,
    int groupSize,
    int headBits,
    int embeddingBits,
    Predicate<String> filter) {
  /// @throws IllegalArgumentException if a number is none of these
  public QuantizeConfig {
    var _ = new DType.Tiled(bits, groupSize);
    check("head", headBits);
    check("embedding", embeddingBits);
  }

  private static void check(String what, int bits) {
    if (bits != 4 && bits != 8 && bits != 16) {
      throw new IllegalArgumentException(
          "%d bits for the %s; need 4, 8, or 16, which leaves it as it is".formatted(bits, what));
    }
  }

  /// 4 or 8 bits in groups of 32, rounded to the nearest; the output matrix, to whose errors
  /// answers are most sensitive, has 8 bits, the embedding table stays as it is.
  public static QuantizeConfig of(int bits) {
    return new QuantizeConfig(Method.RTN, bits, 32, 8, 16, _ -> true);
  }

  /// The same by another method.
  public QuantizeConfig by(Method newMethod) {
    return new QuantizeConfig(newMethod, bits, groupSize, headBits, embeddingBits, filter);
  }

  /// The same with another group size.
  public QuantizeConfig inGroupsOf(int newGroupSize) {
    return new QuantizeConfig(method, bits, newGroupSize, headBits, embeddingBits, filter);
  }

  /// The same with other bits for the output matrix.
  public QuantizeConfig headBits(int newBits) {
    return new QuantizeConfig(method, bits, groupSize, newBits, embeddingBits, filter);
  }

  /// The same with other bits for the embedding table.
  public QuantizeConfig embeddingBits(int newBits) {
    return new QuantizeConfig(method, bits, groupSize, headBits, newBits, filter);
  }

  /// The same of tensors with such names alone, such as `model.layers.3.mlp.up_proj.weight`.
  public QuantizeConfig filter(Predicate<String> newFilter) {
    return new QuantizeConfig(method, bits, groupSize, headBits, embeddingBits, newFilter);
  }

  /// What matrices of layers become.
  public DType.Tiled type() {
    return new DType.Tiled(bits, groupSize);
  }

  /// What the output matrix becomes, or null if it stays.
  public DType.Tiled headType() {
    return headBits == 16 ? null : new DType.Tiled(headBits, groupSize);
  }

  /// What the embedding table becomes, or null if it stays.
  public DType.Tiled embeddingType() {
    return embeddingBits == 16 ? null : new DType.Tiled(embeddingBits, groupSize);
  }
}
