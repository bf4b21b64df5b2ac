package io.gatun.models.sam.coco;

import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prediction;
import io.gatun.models.sam.Prompt;
import java.util.ArrayList;
import java.util.List;

/// The experiment: one point for each annotation, three masks for each point, of which the one with
/// the highest predicted IoU is compared with the annotation, pixel by pixel of the whole image.
///
/// All annotations count alike, those of crowds too. The mIoU is the mean over annotations, not
/// over images or categories.
public final class PointEvaluation {
  /// What the model made of an annotation.
  ///
  /// @param area the annotation's pixels
  /// @param chosen the number of the mask that was chosen
  /// @param score the IoU that the model predicts for it
  /// @param iou its IoU with the annotation
  /// @param agreement its IoU with the mask that the other predictor chose; NaN if there is none
  public record Answer(
      CocoAnnotation annotation,
      PromptPoint point,
      int area,
      int chosen,
      float score,
      double iou,
      double agreement) {}

  private final MaskPredictor predictor;
  private final MaskPredictor other;
  private final int batch;
  private final List<Answer> answers = new ArrayList<>();
  private int images;
  private long encodeNanos;
  private long decodeNanos;

  /// @param other what the masks are compared with besides the annotations, or null
  /// @param batch the points that are decoded together
  public PointEvaluation(MaskPredictor predictor, MaskPredictor other, int batch) {
    this.predictor = predictor;
    this.other = other;
    this.batch = batch;
  }

  /// Asks about an image.
  ///
  /// @throws IllegalArgumentException if the image or an annotation has another size than the file
  ///   says, or an annotation is empty
  public void add(Image image, CocoImage described, List<CocoAnnotation> annotations) {
    if (image.width() != described.width() || image.height() != described.height()) {
      throw new IllegalArgumentException(
          "%s is %d x %d pixels; its annotations are for %d x %d"
              .formatted(
                  described.fileName(),
                  image.width(),
                  image.height(),
                  described.width(),
                  described.height()));
    }
    var masks = annotations.stream().map(a -> a.mask(described)).toList();
    var points = new ArrayList<PromptPoint>();
    for (int i = 0; i < masks.size(); i++) {
      if (masks.get(i).area() == 0) {
        throw new IllegalArgumentException(
            "annotation %d of %s has no pixels"
                .formatted(annotations.get(i).id(), described.fileName()));
      }
      points.add(PromptPoint.of(masks.get(i)));
    }
    long start = System.nanoTime();
    EncodedImage encoded = predictor.encode(image);
    encodeNanos += System.nanoTime() - start;
    try (encoded;
        EncodedImage compared = other == null ? null : other.encode(image)) {
      for (int from = 0; from < masks.size(); from += batch) {
        int to = Math.min(masks.size(), from + batch);
        var prompts =
            points.subList(from, to).stream().map(p -> Prompt.point(p.x(), p.y())).toList();
        start = System.nanoTime();
        List<Prediction> found = encoded.predict(prompts, true);
        decodeNanos += System.nanoTime() - start;
        List<Prediction> others = compared == null ? null : compared.predict(prompts, true);
        for (int i = from; i < to; i++) {
          Prediction p = found.get(i - from);
          Mask best = p.best();
          answers.add(
              new Answer(
                  annotations.get(i),
                  points.get(i),
                  masks.get(i).area(),
                  p.bestIndex(),
                  best.score(),
                  best.iou(masks.get(i)),
                  others == null ? Double.NaN : best.iou(others.get(i - from).best())));
        }
      }
    }
    images++;
  }

  /// For each annotation so far, in the order in which they came.
  public List<Answer> answers() {
    return List.copyOf(answers);
  }

  /// The mean of the IoUs with the annotations; NaN if there are none.
  public double meanIou() {
    return answers.stream().mapToDouble(Answer::iou).average().orElse(Double.NaN);
  }

  /// The images so far.
  public int images() {
    return images;
  }

  /// How long resizing and encoding images took together.
  public double encodeSeconds() {
    return encodeNanos / 1e9;
  }

  /// How long decoding points took together, masks at the images' size included.
  public double decodeSeconds() {
    return decodeNanos / 1e9;
  }
}
