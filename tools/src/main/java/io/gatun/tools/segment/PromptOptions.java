package io.gatun.tools.segment;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/// The options that say which object is meant.
final class PromptOptions {
  @Option(
      names = "--point",
      paramLabel = "X,Y[:0]",
      converter = PointConverter.class,
      description =
          "A point on the object, in pixels from the top left corner; with :0 a point beside it."
              + " All points belong to one object.")
  private List<float[]> points = new ArrayList<>();

  @Option(
      names = {"-b", "--box"},
      paramLabel = "X0,Y0,X1,Y1",
      converter = BoxConverter.class,
      description =
          "A box around the object. Of several boxes each is an object of its own, and there are no"
              + " points then.")
  private List<float[]> boxes = new ArrayList<>();

  @Option(
      names = "--mask-input",
      paramLabel = "FILE",
      description =
          "An image of the same size, light where the object is about, such as --out wrote.")
  private Path maskInput;

  @Option(
      names = "--multimask",
      description =
          "Three masks for each object: whole, part, part of a part. Without it one; for a single"
              + " point the best of three.")
  boolean multimask;

  /// Whether any says which object is meant.
  boolean sayWhich() {
    return !points.isEmpty() || !boxes.isEmpty() || maskInput != null;
  }

  /// Whether any was given.
  boolean areThere() {
    return sayWhich() || multimask;
  }

  /// Refuses what cannot be, before anything is loaded.
  void check(CommandLine command) {
    if (!sayWhich()) {
      throw new ParameterException(
          command, "Nothing says what to segment. Give --point, --box, or --everything");
    }
    if (boxes.size() > 1 && (!points.isEmpty() || maskInput != null)) {
      throw new ParameterException(
          command,
          "With several --box there can be no %s, for it would not be clear to which it belongs"
              .formatted(points.isEmpty() ? "--mask-input" : "--point"));
    }
  }

  /// The prompts without their mask, checked against an image.
  List<Prompt> prompts(Image image) {
    Prompt prompt = null;
    for (float[] p : points) {
      prompt = withPoint(prompt, p[0], p[1], p[2] == Prompt.FOREGROUND);
    }
    var prompts = new ArrayList<Prompt>();
    for (float[] b : boxes) {
      prompts.add(
          prompt == null
              ? Prompt.box(b[0], b[1], b[2], b[3])
              : prompt.withBox(b[0], b[1], b[2], b[3]));
    }
    if (boxes.isEmpty() && prompt != null) {
      prompts.add(prompt);
    }
    prompts.forEach(p -> p.checkInside(image.width(), image.height()));
    return prompts;
  }

  /// A prompt, which may be null, and a point on the object or beside it.
  static Prompt withPoint(Prompt prompt, float x, float y, boolean on) {
    if (prompt == null) {
      return on ? Prompt.point(x, y) : Prompt.background(x, y);
    }
    return on ? prompt.withPoint(x, y) : prompt.withBackground(x, y);
  }

  /// Where the object is about; null if nothing says.
  Mask mask() {
    return maskInput == null ? null : Mask.of(Image.read(maskInput));
  }

  /// The prompts with a mask, if there is one.
  static List<Prompt> withMask(List<Prompt> prompts, Mask mask, EncodedImage encoded) {
    if (mask == null) {
      return prompts;
    }
    float[] logits = encoded.logitsOf(mask);
    return List.of(prompts.isEmpty() ? Prompt.mask(logits) : prompts.getFirst().withMask(logits));
  }

  /// A prompt, which may be null, in words, with what is said of a mask.
  String describe(Prompt prompt) {
    String said = prompt == null ? "Prompt()" : prompt.toString();
    return maskInput == null ? said : said.replaceFirst("\\)$", " with a mask)");
  }

  /// Puts points and boxes into a request to a server.
  void tell(ObjectNode body) {
    for (float[] p : points) {
      body.withArray("points").addObject().put("x", p[0]).put("y", p[1]).put("label", (int) p[2]);
    }
    if (boxes.size() == 1) {
      add(body.putArray("box"), boxes.getFirst());
    }
    for (float[] b : boxes.size() > 1 ? boxes : List.<float[]>of()) {
      add(body.withArray("boxes").addArray(), b);
    }
  }

  private static void add(ArrayNode to, float[] box) {
    for (float side : box) {
      to.add(side);
    }
  }

  private static float[] numbers(String text, int n, String form) {
    String[] parts = text.split(",", -1);
    var numbers = new float[n];
    try {
      for (int i = 0; i < n && parts.length == n; i++) {
        numbers[i] = Float.parseFloat(parts[i].strip());
      }
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'" + text + "' is not " + form);
    }
    if (parts.length != n) {
      throw new TypeConversionException("'" + text + "' is not " + form);
    }
    return numbers;
  }

  /// x, y and label.
  static final class PointConverter implements ITypeConverter<float[]> {
    @Override
    public float[] convert(String value) {
      String[] parts = value.split(":", -1);
      String label = parts.length == 1 ? "1" : parts[1];
      if (parts.length > 2 || !(label.equals("0") || label.equals("1"))) {
        throw new TypeConversionException(
            "'" + value + "' is not X,Y or X,Y:0, as in 320,240 or 10,10:0");
      }
      float[] xy = numbers(parts[0], 2, "X,Y, as in 320,240");
      return new float[] {xy[0], xy[1], Integer.parseInt(label)};
    }
  }

  static final class BoxConverter implements ITypeConverter<float[]> {
    @Override
    public float[] convert(String value) {
      float[] b = numbers(value, 4, "X0,Y0,X1,Y1, as in 10,20,300,240");
      try {
        Prompt.box(b[0], b[1], b[2], b[3]);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
      return b;
    }
  }
}
