package io.gatun.tools.segment;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/// What `gatun segment` says of the masks that it found.
final class SegmentReport {
  private static final int MOST_COLOURS_OF_DRAWINGS = 1000;

  private final CommandSpec spec;
  private final boolean json;

  SegmentReport(CommandSpec spec, boolean json) {
    this.spec = spec;
    this.json = json;
  }

  void tell(List<Path> written, Map<String, Object> result) {
    if (json) {
      result.put("files", written.stream().map(Path::toString).toList());
    } else {
      written.forEach(file -> spec.commandLine().getOut().println("wrote " + file));
    }
  }

  /// A photograph has thousands of colours, a drawing hundreds.
  void warnOfPhotograph(Segmenter segmenter, Path file, Image picture) {
    String known = segmenter.trainedOn();
    if (!json && !known.isEmpty() && colours(picture) > MOST_COLOURS_OF_DRAWINGS) {
      spec.commandLine()
          .getErr()
          .println(
              "gatun segment: warning: %s knows %s only, and %s looks like a photograph: the masks will mean little. For photographs name a published model with --model"
                  .formatted(segmenter.model(), known, file));
    }
  }

  /// How many there are, to five bits of red, green and blue.
  private static int colours(Image picture) {
    var seen = new BitSet();
    Image rgb = picture.rgb();
    for (int y = 0; y < rgb.height(); y++) {
      for (int x = 0; x < rgb.width(); x++) {
        seen.set(rgb.get(x, y, 0) >> 3 << 10 | rgb.get(x, y, 1) >> 3 << 5 | rgb.get(x, y, 2) >> 3);
      }
    }
    return seen.cardinality();
  }

  void times(Segmenter segmenter, Segmenter.Found<?> found, String what) {
    spec.commandLine()
        .getErr()
        .println(
            String.format(
                Locale.ROOT,
                "[%sencoded in %.3f s; %s in %.3f s]",
                segmenter.loaded(),
                found.encodeSeconds(),
                what,
                found.decodeSeconds()));
  }

  static Map<String, Object> asMap(Target target, String prompt, Mask mask) {
    var map = new LinkedHashMap<String, Object>();
    map.put("prompt", prompt);
    if (target.label() != null) {
      map.put("label", target.label());
    }
    map.put("score", mask.score());
    map.put("area", mask.area());
    map.put("bbox", mask.bbox());
    map.put("segmentation", mask.rle().toMap(true));
    return map;
  }

  static String describe(Mask mask) {
    int[] b = mask.bbox();
    return String.format(
        Locale.ROOT,
        "score %.3f, %,d pixels, box at %d,%d of %d x %d",
        mask.score(),
        mask.area(),
        b[0],
        b[1],
        b[2],
        b[3]);
  }
}
