package io.gatun.spark;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import java.nio.file.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/// All masks of a picture.
final class Masks {
  private static final long MOST_PIXELS = 1L << 26;

  /// A mask: its pixels, its box (x, y, width, height), how sure the model is of it, and COCO's
  /// compressed run lengths.
  static final StructType TYPE =
      new StructType()
          .add("area", DataTypes.IntegerType, false)
          .add("bbox", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
          .add("predicted_iou", DataTypes.DoubleType, false)
          .add("stability_score", DataTypes.DoubleType, false)
          .add("width", DataTypes.IntegerType, false)
          .add("height", DataTypes.IntegerType, false)
          .add("counts", DataTypes.StringType, false);

  private Masks() {}

  /// @param value a path, or a file
  static Row[] of(Sam model, GatunOptions options, Object value) {
    var image =
        value instanceof byte[] file
            ? Image.read(file, MOST_PIXELS)
            : Image.read(Path.of((String) value), MOST_PIXELS);
    synchronized (model) { // one picture at a time computes with all threads
      return new SamAutomaticMaskGenerator(model, o -> o.pointsPerSide(options.pointsPerSide))
          .generate(image).stream()
              .map(
                  mask ->
                      RowFactory.create(
                          mask.area(),
                          boxed(mask.bbox()),
                          (double) mask.predictedIou(),
                          (double) mask.stabilityScore(),
                          mask.segmentation().width(),
                          mask.segmentation().height(),
                          mask.segmentation().compressed()))
              .toArray(Row[]::new);
    }
  }

  private static Integer[] boxed(int[] box) {
    return new Integer[] {box[0], box[1], box[2], box[3]};
  }
}
