package io.gatun.tools.segment;

import io.gatun.models.Pretrained;
import io.gatun.models.image.Frames;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.export.LabelledMask;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.remote.RemoteOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
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
public final class Segment implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-i", "--image", "--images"},
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

  @Option(
      names = "--batch-file",
      paramLabel = "FILE",
      description =
          "Find an object for each line of JSON, such as {\"image\": \"photo.jpg\", \"points\":"
              + " [[320, 240], [10, 10, 0]], \"label\": \"dog\"}: points (with 0 beside the"
              + " object), a box [x0, y0, x1, y1], both, or a text; - is standard input. Lines of"
              + " one image stand together: it is looked at once. Of one --image lines need not say"
              + " which.")
  private Path batchFile;

  @Mixin private PromptOptions prompts;
  @Mixin private TextPrompts texts;
  @Mixin private EverythingOptions everything;
  @Mixin private SegmentOutputs outputs;
  @Mixin private AnnotationOptions annotations;
  @Mixin private SamModelOptions loading;

  @Mixin
  private RemoteOptions remote =
      new RemoteOptions(
          "--images",
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
    if (batchFile != null) {
      if (saysItself || prompts.sayWhich()) {
        throw new ParameterException(
            command,
            "--batch-file has the prompts itself; leave out --point, --box, --mask-input, --text"
                + " and --everything");
      }
    } else if (!saysItself) {
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
    var batch = batchFile == null ? null : SegmentBatch.read(spec, batchFile, image);
    var named =
        batch != null
            ? batch.targets()
            : texts.isGiven() ? List.of(Target.of(texts.text())) : List.<Target>of();
    annotations.begin(named);
    return folder ? segmentFolder(batch, named) : segmentOne(batch, named);
  }

  private int segmentOne(SegmentBatch batch, List<Target> named) {
    // What is wrong with image or prompts is said before the model is loaded.
    Image picture = Image.read(image, maxPixels);
    var given = targets(batch, image, picture);
    try (var finder = openFinder(named);
        var segmenter = open()) {
      String name = SegmentOutputs.baseName(image);
      var files = outputs.files(image, everything);
      var result = segment(segmenter, image, name, picture, located(given, finder, picture), files);
      annotations.end();
      if (outputs.json) {
        spec.commandLine().getOut().println(Json.of(List.of(result)));
      }
    }
    spec.commandLine().getOut().flush();
    return 0;
  }

  private int segmentFolder(SegmentBatch batch, List<Target> named) {
    List<Path> images = batch == null ? imagesIn(image) : batch.images();
    var results = new ArrayList<Map<String, Object>>();
    int code = 0;
    try (var finder = openFinder(named);
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
          var targets = located(targets(batch, file, picture), finder, picture);
          var files = outputs.files(name, everything);
          results.add(segment(segmenter, file, name, picture, targets, files));
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

  /// What --text, the points or the boxes mean; none for a mask alone, or everything.
  private List<Target> targets(SegmentBatch batch, Path file, Image picture) {
    if (batch != null) {
      return batch.targets(file, picture);
    }
    return texts.isGiven()
        ? List.of(Target.of(texts.text()))
        : prompts.prompts(picture).stream().map(Target::of).toList();
  }

  /// Those of texts with their places.
  private static List<Target> located(
      List<Target> targets, TextPrompts.Finder finder, Image picture) {
    return targets.stream()
        .map(t -> t.text() == null ? t : t.at(finder.find(picture, t.text())))
        .toList();
  }

  /// What finds texts; null without any.
  private TextPrompts.Finder openFinder(List<Target> targets) {
    return targets.stream().anyMatch(t -> t.text() != null) ? texts.open(loading.run()) : null;
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
      var images = files.filter(Files::isRegularFile).filter(Frames::isImage).sorted().toList();
      if (images.isEmpty()) {
        throw new ParameterException(
            spec.commandLine(),
            "%s has no images: no file in it ends in %s"
                .formatted(folder, String.join(", ", Frames.ENDINGS)));
      }
      return images;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
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
      List<Target> targets,
      SegmentOutputs.Files files) {
    var result = new LinkedHashMap<String, Object>();
    result.put("image", file.toString());
    result.put("width", picture.width());
    result.put("height", picture.height());
    List<LabelledMask> masks =
        everything.everything
            ? findEverything(segmenter, file, picture, files, result)
            : findObjects(segmenter, file, picture, targets, files, result);
    annotations.add(file, name, picture, masks, result);
    return result;
  }

  private List<LabelledMask> findObjects(
      Segmenter segmenter,
      Path file,
      Image picture,
      List<Target> targets,
      SegmentOutputs.Files files,
      Map<String, Object> result) {
    var said = new SegmentReport(spec, outputs.json);
    var asked = targets.stream().map(Target::prompt).toList();
    var found = segmenter.find(file, picture, asked, prompts.mask(), prompts.multimask);
    said.warnOfPhotograph(segmenter, file, picture);
    var objects = new ArrayList<LabelledMask>();
    var maps = new ArrayList<Map<String, Object>>();
    for (int i = 0; i < found.masks().size(); i++) {
      var target = i < targets.size() ? targets.get(i) : Target.UNNAMED;
      for (Mask mask : found.masks().get(i)) {
        objects.add(new LabelledMask(annotations.name(target), mask));
        maps.add(SegmentReport.asMap(target, prompts.describe(target.prompt()), mask));
      }
    }
    var masks = objects.stream().map(LabelledMask::mask).toList();
    var written = outputs.write(files, picture, asked, masks, prompts.multimask);
    result.put("encode_seconds", found.encodeSeconds());
    result.put("decode_seconds", found.decodeSeconds());
    result.put("masks", maps);
    for (int i = 0; i < masks.size() && !outputs.json; i++) {
      String name =
          files.out() != null
              ? SegmentOutputs.numbered(files.out(), i, masks.size()).toString()
              : file.toString();
      spec.commandLine().getOut().println(name + ": " + SegmentReport.describe(masks.get(i)));
      written.remove(Path.of(name)); // is named
    }
    said.tell(written, result);
    String what = found.masks().size() == 1 ? "prompt" : found.masks().size() + " prompts";
    said.times(segmenter, found, what + " decoded");
    return objects;
  }

  private List<LabelledMask> findEverything(
      Segmenter segmenter,
      Path file,
      Image picture,
      SegmentOutputs.Files files,
      Map<String, Object> result) {
    var said = new SegmentReport(spec, outputs.json);
    var found = segmenter.findAll(file, picture, everything);
    said.warnOfPhotograph(segmenter, file, picture);
    var masks = found.masks();
    var written = SegmentOutputs.write(files, picture, masks, everything.outputMode());
    result.put("encode_seconds", found.encodeSeconds());
    result.put("decode_seconds", found.decodeSeconds());
    result.put("masks", SegmentOutputs.maps(masks, everything.outputMode()));
    if (!outputs.json) {
      spec.commandLine().getOut().printf("%s: %d masks%n", file, masks.size());
    }
    said.tell(written, result);
    if (masks.isEmpty()) {
      spec.commandLine().getErr().println("gatun segment: " + file + ": " + EverythingOptions.NONE);
    }
    said.times(segmenter, found, "all points decoded");
    String name = annotations.name(Target.UNNAMED);
    return masks.stream().map(m -> new LabelledMask(name, m.mask())).toList();
  }
}
