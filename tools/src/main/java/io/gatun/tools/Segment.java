package io.gatun.tools;

import io.gatun.models.Pretrained;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskAnnotation;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prediction;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamAutomaticMaskGenerator;
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
              + " directory. Without it: tiny-sam, which comes with Gatun and knows drawn shapes"
              + " only.")
  private Path model;

  @Mixin private PromptOptions prompts;
  @Mixin private EverythingOptions everything;
  @Mixin private SegmentOutputs outputs;
  @Mixin private SamModelOptions loading;

  @Override
  public Integer call() {
    var command = spec.commandLine();
    boolean folder = Files.isDirectory(image);
    everything.check(command);
    if (!everything.everything) {
      prompts.check(command);
    } else if (prompts.areThere()) {
      throw new ParameterException(
          command,
          "--everything asks at points of its own; leave out --point, --box, --mask-input and"
              + " --multimask");
    }
    outputs.check(command, everything.everything, folder);
    return folder ? segmentFolder() : segmentOne();
  }

  private int segmentOne() {
    // What is wrong with image or prompts is said before the model is loaded.
    Image picture = Image.read(image, maxPixels);
    List<Prompt> asked = prompts.prompts(picture);
    long start = System.nanoTime();
    try (var sam = load()) {
      double loaded = secondsSince(start);
      var result = segment(sam, image, picture, asked, outputs.files(image, everything), loaded);
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
    long start = System.nanoTime();
    try (var sam = load()) {
      double loaded = secondsSince(start);
      for (Path file : images) {
        String done = "%d of %d images are done".formatted(images.indexOf(file), images.size());
        Interrupts.of(spec).keeps(() -> done);
        try {
          Image picture = Image.read(file, maxPixels);
          List<Prompt> asked = prompts.prompts(picture);
          var files = outputs.files(uniqueName(file, images), everything);
          results.add(segment(sam, file, picture, asked, files, loaded));
        } catch (ImageException | IllegalArgumentException e) {
          // The other images are not to blame.
          spec.commandLine().getErr().println("gatun segment: " + message(file, e));
          code = 2;
        }
      }
    }
    if (outputs.json) {
      spec.commandLine().getOut().println(Json.of(results));
    }
    spec.commandLine().getOut().flush();
    return code;
  }

  private Sam load() {
    return loading.load(model != null ? ModelNames.find(spec, model) : Pretrained.path("tiny-sam"));
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

  private Map<String, Object> segment(
      Sam sam,
      Path file,
      Image picture,
      List<Prompt> asked,
      SegmentOutputs.Files files,
      double loaded) {
    warnOfPhotograph(sam, file, picture);
    var result = new LinkedHashMap<String, Object>();
    result.put("image", file.toString());
    result.put("width", picture.width());
    result.put("height", picture.height());
    if (everything.everything) {
      findEverything(sam, file, picture, files, loaded, result);
    } else {
      findObjects(sam, file, picture, asked, files, loaded, result);
    }
    return result;
  }

  private void findObjects(
      Sam sam,
      Path file,
      Image picture,
      List<Prompt> asked,
      SegmentOutputs.Files files,
      double loaded,
      Map<String, Object> result) {
    long start = System.nanoTime();
    try (EncodedImage encoded = sam.encode(picture)) {
      double encode = secondsSince(start);
      List<Prompt> complete = prompts.withMask(asked, encoded);
      start = System.nanoTime();
      boolean ambiguous = complete.size() == 1 && complete.getFirst().isSinglePoint();
      var predictions = encoded.predict(complete, prompts.multimask || ambiguous);
      double decode = secondsSince(start);
      var masks = new ArrayList<Mask>();
      var maps = new ArrayList<Map<String, Object>>();
      for (int i = 0; i < predictions.size(); i++) {
        Prediction p = predictions.get(i);
        for (Mask mask : prompts.multimask ? p.masks() : List.of(p.best())) {
          masks.add(mask);
          maps.add(asMap(complete.get(i), mask));
        }
      }
      var written = SegmentOutputs.write(files, picture, complete, masks, prompts.multimask);
      result.put("encode_seconds", encode);
      result.put("decode_seconds", decode);
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
      String what = complete.size() == 1 ? "prompt" : complete.size() + " prompts";
      report(loaded, encode, what + " decoded", decode);
    }
  }

  private void tell(List<Path> written, Map<String, Object> result) {
    if (outputs.json) {
      result.put("files", written.stream().map(Path::toString).toList());
    } else {
      written.forEach(file -> spec.commandLine().getOut().println("wrote " + file));
    }
  }

  /// A photograph has thousands of colours, a drawing hundreds.
  private void warnOfPhotograph(Sam sam, Path file, Image picture) {
    String known = sam.config().trainedOn();
    if (!outputs.json && !known.isEmpty() && colours(picture) > MOST_COLOURS_OF_DRAWINGS) {
      spec.commandLine()
          .getErr()
          .println(
              "gatun segment: warning: %s knows %s only, and %s looks like a photograph: the masks will mean little. For photographs name a published model with --model"
                  .formatted(sam.checkpoint().path().getFileName(), known, file));
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

  private static Map<String, Object> asMap(Prompt prompt, Mask mask) {
    var map = new LinkedHashMap<String, Object>();
    map.put("prompt", prompt.toString());
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

  private void findEverything(
      Sam sam,
      Path file,
      Image picture,
      SegmentOutputs.Files files,
      double loaded,
      Map<String, Object> result) {
    var encodeNanos = new long[1];
    var timed =
        new MaskPredictor() {
          @Override
          public EncodedImage encode(Image crop) {
            long start = System.nanoTime();
            EncodedImage encoded = sam.encode(crop);
            encodeNanos[0] += System.nanoTime() - start;
            return encoded;
          }

          @Override
          public Map<String, Double> maskGeneratorDefaults() {
            return sam.maskGeneratorDefaults();
          }
        };
    var generator = new SamAutomaticMaskGenerator(timed, everything::configure);
    long start = System.nanoTime();
    List<MaskAnnotation> found = generate(generator, file, picture);
    double encode = encodeNanos[0] / 1e9;
    double decode = secondsSince(start) - encode;
    var written = SegmentOutputs.write(files, picture, found, everything.outputMode());
    result.put("encode_seconds", encode);
    result.put("decode_seconds", decode);
    result.put("masks", SegmentOutputs.maps(found, everything.outputMode()));
    if (!outputs.json) {
      spec.commandLine().getOut().printf("%s: %d masks%n", file, found.size());
    }
    tell(written, result);
    if (found.isEmpty()) {
      spec.commandLine().getErr().println("gatun segment: " + file + ": " + EverythingOptions.NONE);
    }
    report(loaded, encode, "all points decoded", decode);
  }

  private List<MaskAnnotation> generate(
      SamAutomaticMaskGenerator generator, Path file, Image picture) {
    if (!Stdio.of(spec).isInteractive()) {
      return generator.generate(picture);
    }
    try (var bar = new ProgressBar(file.getFileName().toString(), " points", 1)) {
      return generator.generate(picture, (done, total) -> bar.show(done, total, ""));
    }
  }

  private void report(double loaded, double encode, String what, double decode) {
    spec.commandLine()
        .getErr()
        .println(
            String.format(
                Locale.ROOT,
                "[loaded in %.2f s; encoded in %.3f s; %s in %.3f s]",
                loaded,
                encode,
                what,
                decode));
  }

  private static double secondsSince(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
