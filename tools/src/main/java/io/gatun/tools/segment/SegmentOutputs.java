package io.gatun.tools.segment;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Overlay;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.console.Texts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/// Where masks go, and the writing of them.
final class SegmentOutputs {
  private static final String METADATA =
      "id,area,bbox_x0,bbox_y0,bbox_w,bbox_h,point_input_x,point_input_y,predicted_iou,"
          + "stability_score,crop_box_x0,crop_box_y0,crop_box_w,crop_box_h";

  @Option(
      names = {"-o", "--out"},
      paramLabel = "PATH",
      description =
          "The mask, white on black; of several masks -1, -2, ... is put before the ending. With"
              + " --everything see --output-mode. If nothing says what to write: NAME-mask.png, or"
              + " NAME-overlay.png with --everything, in the current folder.")
  private Path out;

  @Option(
      names = "--overlay",
      paramLabel = "PATH",
      description = "The image with masks and prompts drawn on it.")
  private Path overlay;

  @Option(
      names = "--cutout",
      paramLabel = "PATH",
      description = "The object alone on a transparent ground (PNG).")
  private Path cutout;

  @Option(
      names = "--feather",
      paramLabel = "N",
      description = "Make the edges of --cutout soft, over N pixels to both sides (default: 0).")
  private int feather;

  @Option(
      names = "--json",
      description =
          "Print JSON: for each image the files that were written, and for each mask its score,"
              + " area, box (x, y, width, height) and COCO run lengths.")
  boolean json;

  private boolean writesOthers;

  /// What is written for one image; null for what is not.
  record Files(Path out, Path overlay, Path cutout) {}

  /// Refuses what cannot be written, before anything is loaded.
  ///
  /// @param others whether something else is written for each image
  void check(CommandLine command, boolean everything, boolean folder, boolean others) {
    writesOthers = others;
    if (feather < 0 || feather > Mask.MAX_FEATHER || (feather > 0 && cutout == null)) {
      throw new ParameterException(
          command,
          "--feather is %d; need 0 to %d, with --cutout".formatted(feather, Mask.MAX_FEATHER));
    }
    if (everything && cutout != null) {
      throw new ParameterException(
          command, "--cutout shows one object; it cannot be given with --everything");
    }
    if (!folder) {
      checkName(command, "--cutout", cutout, ".png");
      checkName(command, "--overlay", overlay, ".png", ".jpg", ".jpeg");
      if (!everything) {
        checkName(command, "--out", out, ".png");
      }
    }
    if (folder && isNothingAskedFor()) {
      throw new ParameterException(
          command,
          "For a folder of images say where to write: --out DIR, --overlay DIR, --cutout DIR,"
              + " --annotations PATH or --json");
    }
  }

  private static void checkName(CommandLine command, String option, Path file, String... endings) {
    if (file != null) {
      OutputFiles.checkFile(command, option, file, endings);
    }
  }

  private boolean isNothingAskedFor() {
    return out == null && overlay == null && cutout == null && !json && !writesOthers;
  }

  /// The files for a single image.
  Files files(Path image, EverythingOptions everything) {
    if (isNothingAskedFor()) {
      String name = baseName(image);
      return everything.everything
          ? new Files(null, Path.of(name + "-overlay.png"), null)
          : new Files(Path.of(name + "-mask.png"), null, null);
    }
    return new Files(out, overlay, cutout);
  }

  /// The files for one image of a folder: they have its name, in the folders that the options name.
  Files files(String name, EverythingOptions everything) {
    String ending =
        !everything.everything
            ? ".png"
            : everything.outputMode() == EverythingOptions.OutputMode.BINARY_MASK ? "" : ".json";
    return new Files(
        inFolder(out, name + ending),
        inFolder(overlay, name + ".png"),
        inFolder(cutout, name + ".png"));
  }

  private static Path inFolder(Path folder, String name) {
    return folder == null ? null : Texts.createFolder(folder).resolve(name);
  }

  /// `photo` for `holiday/photo.jpg`.
  static String baseName(Path image) {
    String name = image.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return dot > 0 ? name.substring(0, dot) : name;
  }

  /// Writes the masks of a prompt or of several.
  ///
  /// @param apart whether the masks overlap and are drawn on overlays of their own
  /// @return the files
  List<Path> write(
      Files files, Image image, List<Prompt> prompts, List<Mask> masks, boolean apart) {
    var written = new ArrayList<Path>();
    for (int i = 0; i < masks.size(); i++) {
      Mask mask = masks.get(i);
      if (files.out != null) {
        write(mask.toImage(), numbered(files.out, i, masks.size()), written);
      }
      if (files.cutout != null) {
        write(mask.cutout(image, feather), numbered(files.cutout, i, masks.size()), written);
      }
      if (files.overlay != null && apart) {
        Path file = numbered(files.overlay, i, masks.size());
        write(draw(image, prompts, List.of(mask)), file, written);
      }
    }
    if (files.overlay != null && !apart) {
      write(draw(image, prompts, masks), files.overlay, written);
    }
    return written;
  }

  private static void write(Image picture, Path file, List<Path> written) {
    picture.write(file);
    written.add(file);
  }

  private static Image draw(Image image, List<Prompt> prompts, List<Mask> masks) {
    var picture = new Overlay(image);
    masks.forEach(picture::add);
    prompts.forEach(picture::add);
    return picture.toImage();
  }

  /// `mask-2.png` for the second of several masks.
  static Path numbered(Path file, int i, int n) {
    if (n == 1) {
      return file;
    }
    String name = file.getFileName().toString();
    int dot = name.lastIndexOf('.');
    int end = dot > 0 ? dot : name.length();
    return file.resolveSibling(name.substring(0, end) + "-" + (i + 1) + name.substring(end));
  }

  /// Writes all masks of an image.
  ///
  /// @return the files, or the folder of them
  static List<Path> write(
      Files files, Image image, List<MaskAnnotation> found, EverythingOptions.OutputMode mode) {
    var written = new ArrayList<Path>();
    if (files.overlay != null) {
      // Small ones on top.
      var masks =
          found.stream()
              .sorted(Comparator.comparing(MaskAnnotation::area).reversed())
              .map(MaskAnnotation::mask)
              .toList();
      write(draw(image, List.of(), masks), files.overlay, written);
    }
    if (files.out != null) {
      switch (mode) {
        case BINARY_MASK -> writeFolder(files.out, found);
        case UNCOMPRESSED_RLE, COCO_RLE ->
            Texts.write(files.out, Json.of(maps(found, mode)) + System.lineSeparator());
      }
      written.add(files.out);
    }
    return written;
  }

  static List<Object> maps(List<MaskAnnotation> found, EverythingOptions.OutputMode mode) {
    boolean compressed = mode != EverythingOptions.OutputMode.UNCOMPRESSED_RLE;
    return found.stream().<Object>map(a -> a.toMap(compressed)).toList();
  }

  /// A PNG file for each mask, and a table, as the reference's `scripts/amg.py` writes them.
  private static void writeFolder(Path folder, List<MaskAnnotation> found) {
    Texts.createFolder(folder);
    var table = new ArrayList<String>();
    table.add(METADATA);
    for (int i = 0; i < found.size(); i++) {
      MaskAnnotation a = found.get(i);
      a.mask().toImage().write(folder.resolve(i + ".png"));
      table.add(
          Stream.of(
                  Stream.of(i, a.area()),
                  IntStream.of(a.bbox()).boxed(),
                  DoubleStream.of(a.pointCoords()).boxed(),
                  Stream.of(a.predictedIou(), a.stabilityScore()),
                  IntStream.of(a.cropBox()).boxed())
              .flatMap(s -> s)
              .map(v -> String.format(Locale.ROOT, "%s", v))
              .reduce((a1, b) -> a1 + "," + b)
              .orElseThrow());
    }
    Texts.write(folder.resolve("metadata.csv"), String.join("\n", table) + "\n");
  }
}
