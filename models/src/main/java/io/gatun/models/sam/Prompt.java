package io.gatun.models.sam;

import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.modeling.PromptPoints;
import java.util.Arrays;
import java.util.Objects;

/// What to look for in an image: points, a box, an earlier mask, or several of them together, all
/// about one object.
///
/// Coordinates are pixels of the image, x to the right and y down, the top left corner of the image
/// being (0, 0).
///
/// ```java
/// Prompt.point(320, 240).withBackground(10, 10).withBox(200, 100, 450, 400)
/// ```
public final class Prompt {
  /// The label of a point on the object.
  public static final int FOREGROUND = 1;

  /// The label of a point beside the object.
  public static final int BACKGROUND = 0;

  private static final Prompt NONE = new Prompt(new float[0], new int[0], null, null);

  private final float[] points;
  private final int[] labels;
  private final float[] box;
  private final float[] maskInput;

  private Prompt(float[] points, int[] labels, float[] box, float[] maskInput) {
    this.points = points;
    this.labels = labels;
    this.box = box;
    this.maskInput = maskInput;
  }

  /// A point on the object.
  public static Prompt point(float x, float y) {
    return NONE.withPoint(x, y);
  }

  /// A point beside the object.
  public static Prompt background(float x, float y) {
    return NONE.withBackground(x, y);
  }

  /// A box around the object.
  ///
  /// @throws IllegalArgumentException if it is turned inside out
  public static Prompt box(float x0, float y0, float x1, float y1) {
    return NONE.withBox(x0, y0, x1, y1);
  }

  /// The low-resolution logits of an earlier prediction.
  public static Prompt mask(float[] lowResLogits) {
    return NONE.withMask(lowResLogits);
  }

  /// The same and a point on the object.
  public Prompt withPoint(float x, float y) {
    return with(x, y, FOREGROUND);
  }

  /// The same and a point beside the object.
  public Prompt withBackground(float x, float y) {
    return with(x, y, BACKGROUND);
  }

  private Prompt with(float x, float y, int label) {
    if (!Float.isFinite(x) || !Float.isFinite(y)) {
      throw new IllegalArgumentException(
          "the point %s,%s is nowhere; need pixels".formatted(trim(x), trim(y)));
    }
    float[] p = Arrays.copyOf(points, points.length + 2);
    int[] l = Arrays.copyOf(labels, labels.length + 1);
    p[p.length - 2] = x;
    p[p.length - 1] = y;
    l[l.length - 1] = label;
    return new Prompt(p, l, box, maskInput);
  }

  /// The same with this box, in place of an earlier one.
  ///
  /// @throws IllegalArgumentException if it is turned inside out
  public Prompt withBox(float x0, float y0, float x1, float y1) {
    if (!(x0 <= x1 && y0 <= y1)) {
      throw new IllegalArgumentException(
          "the box %s,%s,%s,%s ends before it begins; need x0,y0,x1,y1 with x0 <= x1 and y0 <= y1"
              .formatted(trim(x0), trim(y0), trim(x1), trim(y1)));
    }
    return new Prompt(points, labels, new float[] {x0, y0, x1, y1}, maskInput);
  }

  /// The same with the low-resolution logits of an earlier prediction, in place of earlier ones.
  public Prompt withMask(float[] lowResLogits) {
    return new Prompt(
        points, labels, box, Objects.requireNonNull(lowResLogits, "the mask is null").clone());
  }

  /// The points, x and y by turns.
  public float[] points() {
    return points.clone();
  }

  /// A label for each point: [#FOREGROUND] or [#BACKGROUND].
  public int[] labels() {
    return labels.clone();
  }

  /// The box x0, y0, x1, y1, or null.
  public float[] box() {
    return box == null ? null : box.clone();
  }

  /// The points and the box's corners as a model's prompt encoder takes them.
  ///
  /// @param width of the image in pixels
  /// @param height likewise
  public PromptPoints encoderPoints(SamConfig config, int width, int height) {
    var resize = Resize.of(config);
    var corners = box == null ? null : resize.applyCoords(box, width, height);
    return PromptPoints.of(
        config.kind(), resize.applyCoords(points, width, height), labels(), corners);
  }

  /// The logits of an earlier mask, row by row, or null.
  public float[] maskInput() {
    return maskInput == null ? null : maskInput.clone();
  }

  /// Whether it is a point and nothing else, which may mean a part or the whole.
  public boolean isSinglePoint() {
    return labels.length == 1 && box == null && maskInput == null;
  }

  /// Refuses a prompt that says nothing, reaches outside an image, or has another form than one
  /// that it is to be answered together with.
  void check(Prompt together, int width, int height) {
    if (labels.length == 0 && box == null && maskInput == null) {
      throw new IllegalArgumentException("the prompt is empty; give a point, a box or a mask");
    }
    if (labels.length != together.labels.length
        || (box == null) != (together.box == null)
        || (maskInput == null) != (together.maskInput == null)) {
      throw new IllegalArgumentException(
          this + " has another form than " + together + "; prompts of one batch must not");
    }
    checkInside(width, height);
  }

  /// Refuses points and boxes outside an image.
  ///
  /// @throws IllegalArgumentException if there are any
  public void checkInside(int width, int height) {
    for (int i = 0; i < labels.length; i++) {
      if (!(isBetween(points[2 * i], width) && isBetween(points[2 * i + 1], height))
          || points[2 * i] == width
          || points[2 * i + 1] == height) {
        throw new IllegalArgumentException(
            "the point %s,%s is outside the image, which is %d x %d pixels"
                .formatted(trim(points[2 * i]), trim(points[2 * i + 1]), width, height));
      }
    }
    if (box != null
        && !(isBetween(box[0], width)
            && isBetween(box[1], height)
            && isBetween(box[2], width)
            && isBetween(box[3], height))) {
      throw new IllegalArgumentException(
          "the box %s,%s,%s,%s reaches outside the image, which is %d x %d pixels"
              .formatted(trim(box[0]), trim(box[1]), trim(box[2]), trim(box[3]), width, height));
    }
  }

  /// NaN is nowhere.
  private static boolean isBetween(float v, int side) {
    return v >= 0 && v <= side;
  }

  private static String trim(float v) {
    return v == Math.rint(v) && Math.abs(v) < 1e9f ? Long.toString((long) v) : Float.toString(v);
  }

  /// `Prompt(points 320,240 10,10:0 box 200,100,450,400)`.
  @Override
  public String toString() {
    var text = new StringBuilder("Prompt(");
    for (int i = 0; i < labels.length; i++) {
      text.append(i == 0 ? "points " : " ");
      text.append(trim(points[2 * i])).append(',').append(trim(points[2 * i + 1]));
      text.append(labels[i] == BACKGROUND ? ":0" : "");
    }
    if (box != null) {
      text.append(labels.length > 0 ? " box " : "box ").append(trim(box[0]));
      for (int i = 1; i < 4; i++) {
        text.append(',').append(trim(box[i]));
      }
    }
    return text.append(maskInput == null ? ")" : " with a mask)").toString();
  }
}
