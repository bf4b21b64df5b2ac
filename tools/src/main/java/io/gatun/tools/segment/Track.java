package io.gatun.tools.segment;

import io.gatun.models.image.Frames;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Overlay;
import io.gatun.models.sam.export.IndexMask;
import io.gatun.models.sam.video.TrackedObject;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Texts;
import io.gatun.tools.options.ModelNames;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun track`: masks of objects through a video.
@Command(
    name = "track",
    description = {
      "Follow objects through a video with SAM 2 or 2.1.",
      "",
      "Each frame is looked at once, in order; memory does not grow with the video."
    },
    sortOptions = false)
public final class Track implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = "--video",
      paramLabel = "PATH",
      required = true,
      description =
          "A folder of images, by their names, or an animated GIF. Of other videos make a folder:"
              + " ffmpeg -i VIDEO -q:v 2 -start_number 0 FOLDER/%%05d.jpg")
  private Path video;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      required = true,
      description =
          "Meta's sam2*_hiera_*.pt, Hugging Face's directory, or a name on the Hugging Face hub,"
              + " such as facebook/sam2.1-hiera-tiny.")
  private Path model;

  @Mixin private TrackPrompts prompts;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "DIR",
      description = "A PNG file for each frame, whose pixels are the objects' numbers.")
  private Path out;

  @Option(
      names = "--overlay",
      paramLabel = "DIR",
      description = "Each frame with the objects coloured.")
  private Path overlay;

  @Option(
      names = "--max-pixels",
      paramLabel = "N",
      description = "Largest frame that is read, width x height (default: ${DEFAULT-VALUE}).")
  private long maxPixels = Image.MAX_PIXELS;

  @Option(
      names = "--json",
      description =
          "Print a line of JSON for each frame: each object's score, area, box (x, y, width,"
              + " height) and COCO run lengths.")
  private boolean json;

  @Mixin private SamModelOptions loading;

  @Override
  public void run() {
    var command = spec.commandLine();
    if (out == null && overlay == null && !json) {
      throw new ParameterException(
          command, "Say where to write: --out DIR, --overlay DIR or --json");
    }
    try (var frames = Frames.open(video, maxPixels)) {
      prompts.check(command, frames.count());
      try (var sam2 = loading.loadSam2(ModelNames.find(spec, model));
          var tracker = sam2.track(frames.count());
          var bar = new ProgressBar("frames", "", 1)) {
        prompts.tell(command, tracker);
        for (int i = 0; i < frames.count(); i++) {
          String done = "%d of %d frames are done".formatted(i, frames.count());
          Interrupts.of(spec).keeps(() -> done);
          Image frame = frames.next();
          write(i, frame, tracker.next(frame));
          if (Stdio.of(spec).isInteractive()) {
            bar.show(i + 1, frames.count(), "");
          }
        }
      }
    }
    command.getOut().flush();
  }

  private void write(int number, Image frame, List<TrackedObject> found) {
    String name = String.format(Locale.ROOT, "%05d.png", number);
    if (out != null) {
      var index = new IndexMask(frame.width(), frame.height());
      found.forEach(o -> index.add(o.mask(), o.object()));
      index.write(Texts.createFolder(out).resolve(name));
    }
    if (overlay != null) {
      var picture = new Overlay(frame);
      found.forEach(o -> picture.add(o.mask()));
      picture.toImage().write(Texts.createFolder(overlay).resolve(name));
    }
    if (json) {
      spec.commandLine().getOut().println(Json.line(asMap(number, found)));
      spec.commandLine().getOut().flush();
    } else {
      spec.commandLine().getOut().println("frame " + number + ": " + describe(found));
    }
  }

  private static String describe(List<TrackedObject> found) {
    var parts = new ArrayList<String>();
    for (var o : found) {
      parts.add(
          o.mask().area() == 0
              ? "object %d is not to be seen".formatted(o.object())
              : String.format(
                  Locale.ROOT, "object %d has %,d pixels", o.object(), o.mask().area()));
    }
    return parts.isEmpty() ? "no object yet" : String.join(", ", parts);
  }

  private static Map<String, Object> asMap(int number, List<TrackedObject> found) {
    var objects = new ArrayList<Map<String, Object>>();
    for (var o : found) {
      var map = new LinkedHashMap<String, Object>();
      map.put("object", o.object());
      map.put("object_score", o.objectScore());
      map.put("score", o.mask().score());
      map.put("area", o.mask().area());
      map.put("bbox", o.mask().bbox());
      map.put("segmentation", o.mask().rle().toMap(true));
      objects.add(map);
    }
    var map = new LinkedHashMap<String, Object>();
    map.put("frame", number);
    map.put("objects", objects);
    return map;
  }
}
