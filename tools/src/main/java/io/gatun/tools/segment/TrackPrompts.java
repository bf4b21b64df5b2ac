package io.gatun.tools.segment;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.video.Tracker;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/// The options that say which objects are meant, and in which frames.
final class TrackPrompts {
  private static final int DEFAULT_OBJECT = 1;

  @Option(
      names = "--point",
      paramLabel = "[N=]X,Y[:0][@F]",
      converter = PointConverter.class,
      description =
          "A point on object N (default: 1) in frame F (default: --frame); with :0 a point beside"
              + " it. In a later frame than the object's first it corrects what would be found.")
  private List<At> points = new ArrayList<>();

  @Option(
      names = {"-b", "--box"},
      paramLabel = "[N=]X0,Y0,X1,Y1[@F]",
      converter = BoxConverter.class,
      description = "A box around an object.")
  private List<At> boxes = new ArrayList<>();

  @Option(
      names = "--mask-input",
      paramLabel = "FILE",
      description = "The mask of object 1 in frame --frame, as --out of segment writes it.")
  private Path mask;

  @Option(
      names = "--frame",
      paramLabel = "F",
      description = "The frame of prompts that name none, counted from 0 (default: 0).")
  private int frame;

  /// Numbers at an object and a frame, which is -1 if none is named.
  record At(int object, int frame, float[] numbers) {
    private static final Pattern FORM = Pattern.compile("(?:(\\d{1,3})=)?([^@]*)(?:@(\\d{1,9}))?");

    /// @param numbers reads what stands between object and frame
    static At parse(String text, ITypeConverter<float[]> numbers, String form) throws Exception {
      var m = FORM.matcher(text);
      if (!m.matches()) {
        throw new TypeConversionException("'" + text + "' is not " + form);
      }
      int object = m.group(1) == null ? DEFAULT_OBJECT : Integer.parseInt(m.group(1));
      if (object < 1 || object > 255) {
        throw new TypeConversionException("'" + text + "': objects have numbers from 1 to 255");
      }
      int at = m.group(3) == null ? -1 : Integer.parseInt(m.group(3));
      return new At(object, at, numbers.convert(m.group(2)));
    }
  }

  static final class PointConverter implements ITypeConverter<At> {
    @Override
    public At convert(String value) throws Exception {
      return At.parse(value, new PromptOptions.PointConverter(), "[N=]X,Y[:0][@F]");
    }
  }

  static final class BoxConverter implements ITypeConverter<At> {
    @Override
    public At convert(String value) throws Exception {
      return At.parse(value, new PromptOptions.BoxConverter(), "[N=]X0,Y0,X1,Y1[@F]");
    }
  }

  /// Refuses what cannot be.
  void check(CommandLine command, int frames) {
    if (points.isEmpty() && boxes.isEmpty() && mask == null) {
      throw new ParameterException(
          command, "Nothing says what to follow. Give --point, --box or --mask-input");
    }
    for (var list : List.of(points, boxes)) {
      for (At at : list) {
        checkFrame(command, frame(at), frames);
      }
    }
    checkFrame(command, frame, frames);
  }

  private static void checkFrame(CommandLine command, int frame, int frames) {
    if (frame < 0 || frame >= frames) {
      throw new ParameterException(
          command, "There is no frame %d: the video has %d, from 0 on".formatted(frame, frames));
    }
  }

  private int frame(At at) {
    return at.frame < 0 ? frame : at.frame;
  }

  /// Tells a tracker.
  void tell(CommandLine command, Tracker tracker) {
    var prompts = new TreeMap<Integer, Map<Integer, Prompt>>(); // by frame, then by object
    for (At at : points) {
      float[] p = at.numbers;
      boolean on = p[2] == Prompt.FOREGROUND;
      prompts
          .computeIfAbsent(frame(at), _ -> new TreeMap<>())
          .merge(
              at.object,
              on ? Prompt.point(p[0], p[1]) : Prompt.background(p[0], p[1]),
              (old, _) -> on ? old.withPoint(p[0], p[1]) : old.withBackground(p[0], p[1]));
    }
    for (At at : boxes) {
      float[] b = at.numbers;
      prompts
          .computeIfAbsent(frame(at), _ -> new TreeMap<>())
          .merge(
              at.object,
              Prompt.box(b[0], b[1], b[2], b[3]),
              (old, box) -> {
                if (old.box() != null) {
                  throw new ParameterException(
                      command,
                      "Object %d has two boxes in frame %d; give the second object another number, as in 2=%.0f,%.0f,%.0f,%.0f"
                          .formatted(at.object, frame(at), b[0], b[1], b[2], b[3]));
                }
                return old.withBox(b[0], b[1], b[2], b[3]);
              });
    }
    prompts.forEach((at, said) -> said.forEach((object, p) -> tracker.prompt(at, object, p)));
    if (mask != null) {
      tracker.mask(frame, DEFAULT_OBJECT, Mask.of(Image.read(mask)));
    }
  }
}
