package io.gatun.tools;

import io.gatun.models.Pretrained;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.amg.MaskAnnotation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun segment`: masks for images.
@Command(
    name = "segment",
    description = {
      "Find an object that is pointed at, or all objects, in an image with Segment Anything.",
      "",
      "For a folder of images --out, --overlay and --cutout are folders, in which each image has a"
          + " file of its own name."
    },
    sortOptions = false)
final class Segment implements Callable<Integer> {
  private static final List<String> ENDINGS =
      List.of(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp");

  private static final int MOST_COLOURS_OF_DRAWINGS = 1000;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-i", "--image"},
      paramLabel = "PATH",
      required = true,
      description = "A PNG, JPEG, BMP, GIF or WebP file, or a folder of them.")
  private Path image;

  @Option(
      names = "--max-pixels",
      paramLabel = "N",
      description =
          "Largest image that is read, width x height: a small file may hold a huge one (default:"
              + " ${DEFAULT-VALUE}).")
  private long maxPixels = Image.MAX_PIXELS;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "Meta's sam_vit_*.pth, a .safetensors file with the same names, or Hugging Face's"
              + " directory, or a name on the Hugging Face hub. Without it: tiny-sam, which comes"
              + " with Gatun and knows drawn shapes only.")
  private Path model;

  @Mixin private PromptOptions prompts;
  @Mixin private TextPrompts texts;
  @Mixin private EverythingOptions everything;
  @Mixin private SegmentOutputs outputs;
  @Mixin private AnnotationOptions annotations;
  @Mixin private SamModelOptions loading;

  @Mixin
  private RemoteOptions remote =
      new RemoteOptions(
          "--image",
          "--max-pixels",
          "--point",
          "--box",
          "--mask-input",
          "--multimask",
          "--everything",
          "--points-per-side",
          "--points-per-batch",
          "--pred-iou-thresh",
          "--stability-score-thresh",
          "--stability-score-offset",
          "--box-nms-thresh",
          "--crop-n-layers",
          "--crop-nms-thresh",
          "--crop-overlap-ratio",
          "--crop-n-points-downscale-factor",
          "--min-mask-region-area",
          "--output-mode",
          "--out",
          "--overlay",
          "--cutout",
          "--feather",
          "--annotations",
          "--format",
          "--label",
          "--resume",
          "--json");

  @Override
  public Integer call() {
    var command = spec.commandLine();
    boolean folder = Files.isDirectory(image);
    everything.check(command);
    texts.check(command);
    annotations.check(command);
    boolean saysItself = everything.everything || texts.isGiven();
    if (everything.everything && texts.isGiven()) {
      throw new ParameterException(command, "--everything looks for all objects; leave out --text");
    }
    if (!saysItself) {
      prompts.check(command);
    } else if (prompts.areThere()) {
      throw new ParameterException(
          command,
          "%s; leave out --point, --box, --mask-input and --multimask"
              .formatted(
                  texts.isGiven()
                      ? "--text says which object is meant"
                      : "--everything asks at points of its own"));
    }
    outputs.check(command, everything.everything, folder, annotations.isGiven());
    return folder ? segmentFolder() : segmentOne();
  }

  private int segmentOne() {
    // What is wrong with image or prompts is said before the model is loaded.
    Image picture = Image.read(image, maxPixels);
    List<Prompt> given = prompts.prompts(picture);
    annotations.begin();
    try (var finder = openFinder();
        var segmenter = open()) {
      var asked = finder == null ? given : List.of(finder.find(picture));
      String name = SegmentOutputs.baseName(image);
      var files = outputs.files(image, everything);
      var result = segment(segmenter, image, name, picture, asked, files);
      annotations.end();
      if (outputs.json) {
        spec.commandLine().getOut().println(Json.of(List.of(result)));
      }
    }
    spec.commandLine().getOut().flush();
    return 0;
  }

  private int segmentFolder() {
    List<Path> images = imagesIn(image);
    var results = new ArrayList<Map<String, Object>>();
    int code = 0;
    annotations.begin();
    try (var finder = openFinder();
        var segmenter = open()) {
      for (Path file : images) {
        String name = uniqueName(file, images);
        if (annotations.isDone(file, name)) {
          continue;
        }
        String done = "%d of %d images are done".formatted(images.indexOf(file), images.size());
        Interrupts.of(spec).keeps(() -> done);
        try {
          Image picture = Image.read(file, maxPixels);
          var asked = finder == null ? prompts.prompts(picture) : List.of(finder.find(picture));
          var files = outputs.files(name, everything);
          results.add(segment(segmenter, file, name, picture, asked, files));
        } catch (ImageException | IllegalArgumentException e) {
          // The other images are not to blame.
          spec.commandLine().getErr().println("gatun segment: " + message(file, e));
          code = 2;
        }
      }
      annotations.end();
    }
    if (outputs.json) {
      spec.commandLine().getOut().println(Json.of(results));
    }
    spec.commandLine().getOut().flush();
    return code;
  }

  /// What finds --text; null without it.
  private TextPrompts.Finder openFinder() {
    return texts.isGiven() ? texts.open(loading.run()) : null;
  }

  private Segmenter open() {
    return remote.isGiven()
        ? new RemoteSegmenter(remote.open(), remote.model(), prompts)
        : new ModelSegmenter(
            () ->
                loading.load(
                    model != null ? ModelNames.find(spec, model) : Pretrained.path("tiny-sam")),
            Stdio.of(spec).isInteractive());
  }

  private static String message(Path file, RuntimeException e) {
    return e instanceof ImageException ? e.getMessage() : file + ": " + e.getMessage();
  }

  private List<Path> imagesIn(Path folder) {
    try (var files = Files.list(folder)) {
      var images =
          files
              .filter(Files::isRegularFile)
              .filter(f -> ENDINGS.stream().anyMatch(lowerCaseName(f)::endsWith))
              .sorted()
              .toList();
      if (images.isEmpty()) {
        throw new ParameterException(
            spec.commandLine(),
            "%s has no images: no file in it ends in %s"
                .formatted(folder, String.join(", ", ENDINGS)));
      }
      return images;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String lowerCaseName(Path file) {
    return file.getFileName().toString().toLowerCase(Locale.ROOT);
  }

  /// The image's name without its ending, or with it where another image has the same.
  private static String uniqueName(Path file, List<Path> images) {
    String name = SegmentOutputs.baseName(file);
    long same = images.stream().filter(f -> SegmentOutputs.baseName(f).equals(name)).count();
    return same == 1 ? name : file.getFileName().toString();
  }

  /// @param name of the image's files
  private Map<String, Object> segment(
      Segmenter segmenter,
      Path file,
      String name,
      Image picture,
      List<Prompt> asked,
      SegmentOutputs.Files files) {
    var result = new LinkedHashMap<String, Object>();
    result.put("image", file.toString());
    result.put("width", picture.width());
    result.put("height", picture.height());
    List<Mask> masks =
        everything.everything
            ? findEverything(segmenter, file, picture, files, result)
            : findObjects(segmenter, file, picture, asked, files, result);
    annotations.add(file, name, picture, texts.text(), masks, result);
    return result;
  }

  private List<Mask> findObjects(
      Segmenter segmenter,
      Path file,
      Image picture,
      List<Prompt> asked,
      SegmentOutputs.Files files,
      Map<String, Object> result) {
    var found = segmenter.find(file, picture, asked, prompts.mask(), prompts.multimask);
    warnOfPhotograph(segmenter, file, picture);
    var masks = new ArrayList<Mask>();
    var maps = new ArrayList<Map<String, Object>>();
    for (int i = 0; i < found.masks().size(); i++) {
      for (Mask mask : found.masks().get(i)) {
        masks.add(mask);
        maps.add(asMap(prompts.describe(asked, i), mask));
      }
    }
    var written = outputs.write(files, picture, asked, masks, prompts.multimask);
    result.put("encode_seconds", found.encodeSeconds());
    result.put("decode_seconds", found.decodeSeconds());
    result.put("masks", maps);
    for (int i = 0; i < masks.size() && !outputs.json; i++) {
      String name =
          files.out() != null
              ? SegmentOutputs.numbered(files.out(), i, masks.size()).toString()
              : file.toString();
      spec.commandLine().getOut().println(name + ": " + describe(masks.get(i)));
      written.remove(Path.of(name)); // is named
    }
    tell(written, result);
    String what = found.masks().size() == 1 ? "prompt" : found.masks().size() + " prompts";
    report(segmenter, found, what + " decoded");
    return masks;
  }

  private void tell(List<Path> written, Map<String, Object> result) {
    if (outputs.json) {
      result.put("files", written.stream().map(Path::toString).toList());
    } else {
      written.forEach(file -> spec.commandLine().getOut().println("wrote " + file));
    }
  }

  /// A photograph has thousands of colours, a drawing hundreds.
  private void warnOfPhotograph(Segmenter segmenter, Path file, Image picture) {
    String known = segmenter.trainedOn();
    if (!outputs.json && !known.isEmpty() && colours(picture) > MOST_COLOURS_OF_DRAWINGS) {
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

  private static Map<String, Object> asMap(String prompt, Mask mask) {
    var map = new LinkedHashMap<String, Object>();
    map.put("prompt", prompt);
    map.put("score", mask.score());
    map.put("area", mask.area());
    map.put("bbox", mask.bbox());
    map.put("segmentation", mask.rle().toMap(true));
    return map;
  }

  private static String describe(Mask mask) {
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

  private List<Mask> findEverything(
      Segmenter segmenter,
      Path file,
      Image picture,
      SegmentOutputs.Files files,
      Map<String, Object> result) {
    var found = segmenter.findAll(file, picture, everything);
    warnOfPhotograph(segmenter, file, picture);
    var masks = found.masks();
    var written = SegmentOutputs.write(files, picture, masks, everything.outputMode());
    result.put("encode_seconds", found.encodeSeconds());
    result.put("decode_seconds", found.decodeSeconds());
    result.put("masks", SegmentOutputs.maps(masks, everything.outputMode()));
    if (!outputs.json) {
      spec.commandLine().getOut().printf("%s: %d masks%n", file, masks.size());
    }
    tell(written, result);
    if (masks.isEmpty()) {
      spec.commandLine().getErr().println("gatun segment: " + file + ": " + EverythingOptions.NONE);
    }
    report(segmenter, found, "all points decoded");
    return masks.stream().map(MaskAnnotation::mask).toList();
  }

  private void report(Segmenter segmenter, Segmenter.Found<?> found, String what) {
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
}
