package io.gatun.models.sam.modeling.encoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.function.Consumer;

/// What makes an embedding of an image.
public sealed interface ImageEncoder permits HieraEncoder, ImageEncoderViT, TinyViT {
  /// What an encoder makes of an image.
  ///
  /// @param embedding (1, G, G, C)
  /// @param levels what the mask decoder of the model reads besides, see the encoders; may be none
  record Encoded(Tensor embedding, List<Tensor> levels) {}

  /// Encodes a normalized and padded image (1, imgSize, imgSize, 3) F32.
  ///
  /// The result and all in between come from the workspace: close a scope around it.
  ///
  /// @param probe sees the tokens with their positions and after each block
  Encoded encode(Functional f, Tensor image, Consumer<Tensor> probe);

  /// A probe that sees nothing, for which nothing has to be prepared.
  Consumer<Tensor> NONE = _ -> {};

  /// As [#encode(Functional, Tensor, Consumer)], showing nothing.
  default Encoded encode(Functional f, Tensor image) {
    return encode(f, image, NONE);
  }

  /// Floating-point operations of the products in one call, two for each multiplication and
  /// addition.
  long flops();
}
