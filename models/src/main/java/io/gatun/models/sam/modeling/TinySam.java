package io.gatun.models.sam.modeling;

import io.gatun.models.nn.ConstantTensors;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.models.sam.modeling.encoder.ImageEncoderViT;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.WarmUp;
import java.util.List;
import java.util.Map;

/// The smallest network that does what all Segment Anything models do, for [WarmUp].
public final class TinySam {
  /// Images of 32 x 32, patches of 4 x 4; a block with windows and one without.
  private static final ViTConfig ENCODER =
      new ViTConfig(32, 8, 4, 64, 2, 2, 128, 32, 4, List.of(1), 1e-6f, true);

  private static final SamConfig CONFIG =
      new SamConfig(
          SamConfig.Kind.SAM,
          32,
          ENCODER,
          32,
          16,
          1,
          2,
          32,
          64,
          3,
          32,
          1e-5f,
          List.of(0f, 0f, 0f),
          List.of(1f, 1f, 1f),
          0,
          Map.of(),
          "");

  private final Functional f;
  private final ImageEncoderViT imageEncoder;
  private final PromptEncoder promptEncoder;
  private final MaskDecoder maskDecoder;
  private final Tensor image;

  public TinySam(Functional f) {
    this.f = f;
    var weights = Weights.of(new ConstantTensors());
    imageEncoder = new ImageEncoderViT(weights.at("image_encoder"), ENCODER, false, f);
    promptEncoder = new PromptEncoder(weights.at("prompt_encoder"), CONFIG);
    maskDecoder = new MaskDecoder(weights.at("mask_decoder"), CONFIG, f, promptEncoder.densePe());
    image = f.ops().empty(1, CONFIG.imgSize(), CONFIG.imgSize(), 3);
    image.segment().fill((byte) 0);
  }

  public void forward() {
    var points = PromptPoints.of(SamConfig.Kind.SAM, new float[] {1, 1}, new int[] {1}, null);
    var embedding = imageEncoder.encode(f, image).embedding();
    var tokens = maskDecoder.image(f, embedding, promptEncoder.noMask(f));
    maskDecoder.forward(f, tokens, List.of(), promptEncoder.sparse(f, List.of(points)), true);
  }
}
