package io.gatun.models.esrgan;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;

/// ESRGAN's generator (Wang et al. 2018, arXiv:1809.00219), with Real-ESRGAN's names (Wang et al.
/// 2021, arXiv:2107.10833): residual blocks in residual dense blocks, and two enlargements.
///
/// Networks for less than four times the size see squares of pixels as channels.
public final class RRDBNet {
  private static final int RGB = 3;
  private static final int ENLARGES = 4;

  /// What of a block counts beside its input.
  private static final float RESIDUAL = 0.2f;

  private final int square;
  private final ConvWeight convFirst;
  private final List<Block> body = new ArrayList<>();
  private final ConvWeight convBody;
  private final ConvWeight convUp1;
  private final ConvWeight convUp2;
  private final ConvWeight convHr;
  private final ConvWeight convLast;

  /// @throws CheckpointException if a tensor is missing, or has another shape than the others
  public RRDBNet(Weights weights) {
    var first = weights.shape("conv_first.weight");
    if (first.rank() != 4 || (first.dim(1) != 3 && first.dim(1) != 12 && first.dim(1) != 48)) {
      throw new CheckpointException(
          "conv_first.weight is %s; need (C, 3, 3, 3), (C, 12, 3, 3) or (C, 48, 3, 3), as ESRGAN for 4, 2 or 1 times the size has it"
              .formatted(first));
    }
    square = (int) Math.sqrt(first.dim(1) / (double) RGB);
    long c = first.dim(0);
    convFirst = weights.conv("conv_first", c, first.dim(1), 3);
    while (weights.has("body." + body.size() + ".rdb1.conv1.weight")) {
      body.add(new Block(weights.at("body", body.size()), c));
    }
    convBody = weights.conv("conv_body", c, c, 3);
    convUp1 = weights.conv("conv_up1", c, c, 3);
    convUp2 = weights.conv("conv_up2", c, c, 3);
    convHr = weights.conv("conv_hr", c, c, 3);
    convLast = weights.conv("conv_last", RGB, c, 3);
  }

  /// How many times larger images become.
  public int factor() {
    return ENLARGES / square;
  }

  /// What an image's rows and columns must be multiples of.
  public int multiple() {
    return square;
  }

  /// A larger image.
  ///
  ///     x = convFirst(image);  x += convBody(blocks(x))
  ///     x = lrelu(convUp(twice(x))), again;  convLast(lrelu(convHr(x)))
  ///
  /// @param image (1, H, W, 3), values 0..1, F32
  /// @param probe is shown what each part gives, by its name
  /// @return (1, factor H, factor W, 3), about 0..1, F32
  public Tensor forward(Functional f, Tensor image, BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var x = f.conv2d(f.cast(squares(f, image)), convFirst); // (1, H, W, C)
          probe.accept("conv_first", x);
          var layers = new ArrayList<UnaryOperator<Tensor>>();
          for (int i = 0; i < body.size(); i++) {
            var block = body.get(i);
            String name = "body." + i;
            layers.add(h -> block.forward(f, h));
            layers.add(
                h -> {
                  probe.accept(name, h);
                  return h;
                });
          }
          var first = x;
          layers.add(h -> f.add(first, f.conv2d(h, convBody)));
          layers.add(h -> leaky(f, f.conv2d(f.upsampleNearest2x(h), convUp1)));
          layers.add(h -> leaky(f, f.conv2d(f.upsampleNearest2x(h), convUp2)));
          layers.add(h -> leaky(f, f.conv2d(h, convHr)));
          layers.add(h -> f.toF32(f.conv2d(h, convLast)));
          return Scoped.chain(f, first, layers);
        });
  }

  /// `max(x, x / 5)`
  private static Tensor leaky(Functional f, Tensor x) {
    return f.add(f.scale(x, 0.2f), f.scale(f.activate(x, Activation.RELU), 0.8f));
  }

  /// Squares of pixels as channels: (1, H, W, 3) to (1, H / s, W / s, 3 s s), each colour's square
  /// after the other.
  private Tensor squares(Functional f, Tensor image) {
    if (square == 1) {
      return image;
    }
    int height = Math.toIntExact(image.dim(1)) / square;
    int width = Math.toIntExact(image.dim(2)) / square;
    float[] from = image.toFloats();
    var out = new float[from.length];
    int to = 0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        for (int c = 0; c < RGB; c++) {
          for (int dy = 0; dy < square; dy++) {
            for (int dx = 0; dx < square; dx++) {
              int row = y * square + dy;
              out[to++] = from[(row * width * square + x * square + dx) * RGB + c];
            }
          }
        }
      }
    }
    var result = f.ops().empty(1, height, width, (long) RGB * square * square);
    MemorySegment.copy(out, 0, result.segment(), ValueLayout.JAVA_FLOAT, 0, out.length);
    return result;
  }

  /// Three dense blocks one after the other: `x + 0.2 rdb3(rdb2(rdb1(x)))`.
  private record Block(List<Dense> blocks) {
    Block(Weights weights, long c) {
      this(
          List.of(
              new Dense(weights.at("rdb1"), c),
              new Dense(weights.at("rdb2"), c),
              new Dense(weights.at("rdb3"), c)));
    }

    Tensor forward(Functional f, Tensor x) {
      return Scoped.call(f, () -> f.add(x, f.scale(Scoped.chain(f, x, layers(f)), RESIDUAL)));
    }

    private List<UnaryOperator<Tensor>> layers(Functional f) {
      var layers = new ArrayList<UnaryOperator<Tensor>>();
      blocks.forEach(block -> layers.add(h -> block.forward(f, h)));
      return layers;
    }
  }

  /// Convolutions that each see what all before it gave: `x + 0.2 conv5([x, y1, ..., y4])`.
  private static final class Dense {
    private static final int CONVOLUTIONS = 5;

    private final List<ConvWeight> convs = new ArrayList<>();

    Dense(Weights weights, long c) {
      long grows = weights.shape("conv1.weight").dim(0);
      for (int i = 0; i < CONVOLUTIONS; i++) {
        long out = i < CONVOLUTIONS - 1 ? grows : c;
        convs.add(weights.conv("conv" + (i + 1), out, c + i * grows, 3));
      }
    }

    Tensor forward(Functional f, Tensor x) {
      return Scoped.call(
          f,
          () -> {
            var all = x;
            for (var conv : convs.subList(0, CONVOLUTIONS - 1)) {
              all = f.concat(all, leaky(f, f.conv2d(all, conv)));
            }
            return f.add(x, f.scale(f.conv2d(all, convs.getLast()), RESIDUAL));
          });
    }
  }
}
