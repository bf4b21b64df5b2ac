package io.gatun.tests.sam;

import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Resize;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Masks of the pixels that are about as light as the one at the point: the Stub of
/// make_goldens.py.
final class StubPredictor implements MaskPredictor, AutoCloseable {
  private static final int LOW = 64;

  private final Workers workers = new Workers(2);
  private int open;

  /// Images that were encoded and not closed.
  int open() {
    return open;
  }

  @Override
  public EncodedImage encode(Image image) {
    open++;
    return new Encoded(image);
  }

  @Override
  public void close() {
    workers.close();
  }

  private final class Encoded implements EncodedImage {
    private final Image image;

    Encoded(Image image) {
      this.image = image;
    }

    @Override
    public int width() {
      return image.width();
    }

    @Override
    public int height() {
      return image.height();
    }

    @Override
    public Resize resize() {
      return Resize.longestSide(256);
    }

    @Override
    public int maskSize() {
      return LOW;
    }

    @Override
    public float maskThreshold() {
      return 0;
    }

    @Override
    public Workers workers() {
      return workers;
    }

    @Override
    public LowResMasks decode(List<Prompt> prompts, boolean multimaskOutput) {
      int each = multimaskOutput ? 3 : 1;
      var ious = new float[prompts.size() * each];
      Tensor logits =
          Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, prompts.size(), each, LOW, LOW);
      for (int p = 0; p < prompts.size(); p++) {
        float[] point = prompts.get(p).points();
        int value = image.get((int) (point[0] + 1e-6), (int) (point[1] + 1e-6), 0);
        for (int c = 0; c < each; c++) {
          int i = p * each + c;
          ious[i] = 0.85f + fill(logits, i, value, 20 * (c + 1)) % 97 / 500f;
        }
      }
      return new LowResMasks(logits, ious);
    }

    private int fill(Tensor logits, int mask, int value, int k) {
      int side = Math.max(image.width(), image.height());
      int n = 0;
      for (int y = 0; y < LOW; y++) {
        for (int x = 0; x < LOW; x++) {
          int px = x * side / LOW;
          int py = y * side / LOW;
          float logit = -8;
          if (px < image.width() && py < image.height()) {
            int difference = Math.abs(image.get(px, py, 0) - value);
            logit = (k - difference) / 8f;
            n += difference < k ? 1 : 0;
          }
          long at = ((long) mask * LOW + y) * LOW + x;
          logits.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, logit);
        }
      }
      return n;
    }

    @Override
    public void close() {
      open--;
    }
  }
}
