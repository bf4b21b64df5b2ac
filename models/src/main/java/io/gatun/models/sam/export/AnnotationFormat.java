package io.gatun.models.sam.export;

import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Polygon;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/// Annotations of images, as maps and lists that any JSON writer writes, or as text.
///
/// Outlines run between the pixels, so that filling them gives back the masks.
public final class AnnotationFormat {
  private AnnotationFormat() {}

  /// COCO's: images, annotations and categories, numbered from 1. Each part of an object is a line
  /// of its own, with its holes joined to it.
  public static Map<String, Object> coco(List<ImageMasks> images) {
    var categories = categories(images);
    var pictures = new ArrayList<Map<String, Object>>();
    var annotations = new ArrayList<Map<String, Object>>();
    for (var image : images) {
      pictures.add(
          map(
              "id", pictures.size() + 1,
              "file_name", image.fileName(),
              "width", image.width(),
              "height", image.height()));
      for (var object : image.objects()) {
        annotations.add(
            map(
                "id", annotations.size() + 1,
                "image_id", pictures.size(),
                "category_id", categories.indexOf(object.label()) + 1,
                "segmentation", object.mask().polygons().stream().map(Rings::of).toList(),
                "area", object.mask().area(),
                "bbox", object.mask().bbox(),
                "iscrowd", 0,
                "score", score(object.mask())));
      }
    }
    var named = new ArrayList<Map<String, Object>>();
    for (String category : categories) {
      named.add(map("id", named.size() + 1, "name", category, "supercategory", ""));
    }
    return map("images", pictures, "annotations", annotations, "categories", named);
  }

  /// The names of objects in a fixed order: what YOLO's and COCO's numbers count.
  public static List<String> categories(List<ImageMasks> images) {
    var names = new TreeSet<String>();
    images.forEach(image -> image.objects().forEach(o -> names.add(o.label())));
    return List.copyOf(names);
  }

  /// YOLO's for one image: a line for each object, its category's number from 0 on and the corners
  /// of one line around all its parts, as shares of width and height.
  public static String yolo(ImageMasks image, List<String> categories) {
    var text = new StringBuilder();
    for (var object : image.objects()) {
      int[] ring = Rings.of(object.mask().polygons());
      if (ring.length > 0) {
        text.append(categories.indexOf(object.label()));
        for (int i = 0; i < ring.length; i++) {
          int size = i % 2 == 0 ? image.width() : image.height();
          text.append(String.format(Locale.ROOT, " %.6f", (double) ring[i] / size));
        }
        text.append('\n');
      }
    }
    return text.toString();
  }

  /// LabelMe's for one image: parts of one object share a group.
  public static Map<String, Object> labelMe(ImageMasks image) {
    var shapes = new ArrayList<Map<String, Object>>();
    int group = 0;
    for (var object : image.objects()) {
      var parts = object.mask().polygons();
      group++;
      for (var part : parts) {
        shapes.add(
            map(
                "label",
                object.label(),
                "points",
                points(Rings.of(part), false),
                "group_id",
                parts.size() > 1 ? group : null,
                "description",
                "",
                "shape_type",
                "polygon",
                "flags",
                Map.of(),
                "mask",
                null));
      }
    }
    return map(
        "version", "5.5.0",
        "flags", Map.of(),
        "shapes", shapes,
        "imagePath", image.fileName(),
        "imageData", null,
        "imageHeight", image.height(),
        "imageWidth", image.width());
  }

  /// GeoJSON's form (RFC 7946) with pixels in place of degrees, y downwards: a feature for each
  /// object, its holes as holes.
  public static Map<String, Object> geoJson(ImageMasks image) {
    var features = new ArrayList<Map<String, Object>>();
    for (var object : image.objects()) {
      Mask mask = object.mask();
      var parts = mask.polygons().stream().map(AnnotationFormat::rings).toList();
      features.add(
          map(
              "type",
              "Feature",
              "geometry",
              parts.size() == 1
                  ? map("type", "Polygon", "coordinates", parts.getFirst())
                  : map("type", "MultiPolygon", "coordinates", parts),
              "properties",
              map("label", object.label(), "score", score(mask), "area", mask.area())));
    }
    return map(
        "type", "FeatureCollection",
        "features", features,
        "image", image.fileName(),
        "width", image.width(),
        "height", image.height());
  }

  /// Null where no model has said one: JSON has no NaN.
  private static Float score(Mask mask) {
    return Float.isNaN(mask.score()) ? null : mask.score();
  }

  private static List<List<int[]>> rings(Polygon part) {
    var rings = new ArrayList<List<int[]>>();
    rings.add(points(part.outer(), true));
    part.holes().forEach(hole -> rings.add(points(hole, true)));
    return rings;
  }

  /// @param closed whether the first point comes last, too
  private static List<int[]> points(int[] ring, boolean closed) {
    var points = new ArrayList<int[]>();
    for (int i = 0; i < ring.length; i += 2) {
      points.add(Arrays.copyOfRange(ring, i, i + 2));
    }
    if (closed) {
      points.add(Arrays.copyOf(ring, 2));
    }
    return points;
  }

  private static Map<String, Object> map(Object... keysAndValues) {
    var map = new LinkedHashMap<String, Object>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }
}
