package io.gatun.tools.imagine;

import io.gatun.models.ImageSettings;
import io.gatun.models.ImagineOptions;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import io.gatun.models.image.Outpainting;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options that name pictures to make an image from.
final class PictureOptions {
  private static final int SIDES = 4;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--init-image",
      paramLabel = "FILE",
      description = "An image to start from, see --strength.")
  private Path initImage;

  @Option(
      names = "--mask",
      paramLabel = "FILE",
      description = "Paint --init-image anew only where this image is lighter than grey.")
  private Path mask;

  @Option(
      names = "--outpaint",
      paramLabel = "LEFT,TOP,RIGHT,BOTTOM",
      split = ",",
      description =
          "Paint margins of so many pixels around --init-image, which stays as it is; the image is"
              + " larger by them. Models made for inpainting do it best, others with --strength 1.")
  private int[] outpaint;

  @Option(
      names = "--reference",
      paramLabel = "FILE",
      description =
          "A picture for the model to see: the one to change (InstructPix2Pix), or one to work from"
              + " (FLUX.2; may be given several times). Its size is the image's unless that is"
              + " given.")
  private List<Path> references = new ArrayList<>();

  @Option(
      names = "--control-image",
      paramLabel = "FILE",
      description =
          "What a ControlNet sees (edges, depth, a pose, as it was trained); one for each"
              + " --controlnet, in their order.")
  private List<Path> controlImages = new ArrayList<>();

  @Option(
      names = "--control-scale",
      paramLabel = "X",
      description = "How strongly a ControlNet steers (default: 1); one for each, in their order.")
  private List<Double> controlScales = new ArrayList<>();

  @Option(
      names = "--control-start",
      paramLabel = "X",
      description = "The share of the steps after which a ControlNet begins to steer (default: 0).")
  private List<Double> controlStarts = new ArrayList<>();

  @Option(
      names = "--control-end",
      paramLabel = "X",
      description =
          "The share of the steps after which a ControlNet no longer steers (default: 1).")
  private List<Double> controlEnds = new ArrayList<>();

  private Image start;
  private Image painted;
  private final List<Image> seen = new ArrayList<>();
  private final List<Image> controls = new ArrayList<>();

  /// Reads the pictures.
  void read() {
    int most = Math.max(controlScales.size(), Math.max(controlStarts.size(), controlEnds.size()));
    if (most > controlImages.size()) {
      throw new ParameterException(
          command.commandLine(),
          "--control-scale, --control-start and --control-end are for as many --control-image at most; there are %d for %d"
              .formatted(most, controlImages.size()));
    }
    start = initImage == null ? null : Image.read(initImage);
    painted = mask == null ? null : Image.read(mask);
    if (outpaint != null) {
      outpaint();
    }
    references.forEach(file -> seen.add(Image.read(file)));
    controlImages.forEach(file -> controls.add(Image.read(file)));
  }

  private void outpaint() {
    if (start == null || painted != null || outpaint.length != SIDES) {
      throw new ParameterException(
          command.commandLine(),
          "--outpaint needs --init-image, no --mask, and four numbers, such as 0,0,64,0");
    }
    var larger = Outpainting.of(start, outpaint[0], outpaint[1], outpaint[2], outpaint[3]);
    start = larger.picture();
    painted = larger.mask();
  }

  /// The file to start from; null for none.
  Path initImage() {
    return initImage;
  }

  boolean outpaints() {
    return outpaint != null;
  }

  Image start() {
    return start;
  }

  Image painted() {
    return painted;
  }

  List<Image> references() {
    return seen;
  }

  List<Image> controls() {
    return controls;
  }

  /// @param remade what an image was made with that is to be made again; null for none
  void apply(ImagineOptions o, ImageParameters remade) {
    o.initImage(start).mask(painted);
    if (outpaint != null) {
      o.size(start.width(), start.height());
    }
    seen.forEach(o::reference);
    for (int i = 0; i < controls.size(); i++) {
      var was = ImageSettings.control(remade, i);
      o.control(
          controls.get(i),
          at(controlScales, i, was.scale()),
          at(controlStarts, i, was.start()),
          at(controlEnds, i, was.end()));
    }
  }

  private static double at(List<Double> given, int i, double absent) {
    return i < given.size() ? given.get(i) : absent;
  }
}
