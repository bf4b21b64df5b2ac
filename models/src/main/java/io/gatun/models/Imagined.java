package io.gatun.models;

import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;

/// Images that were made of a prompt.
///
/// @param images one for each of the batch
/// @param parameters what each was made with, which [#write] puts into its file
/// @param stepSeconds how long the network and the scheduler took for each step
/// @param textSeconds how long reading the prompts took
/// @param decodeSeconds how long decoding all images took
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Imagined(
    List<Image> images,
    List<ImageParameters> parameters,
    double[] stepSeconds,
    double textSeconds,
    double decodeSeconds) {
  /// The first image.
  public Image image() {
    return images.getFirst();
  }

  /// The same, with each image in a larger form that was made of it.
  Imagined enlarged(List<Imagined> larger) {
    var steps = DoubleStream.of(stepSeconds);
    double decoding = decodeSeconds;
    for (var each : larger) {
      steps = DoubleStream.concat(steps, DoubleStream.of(each.stepSeconds));
      decoding += each.decodeSeconds;
    }
    var images = larger.stream().map(Imagined::image).toList();
    return new Imagined(images, parameters, steps.toArray(), textSeconds, decoding);
  }

  /// Shows the images in windows, or, where there is no display, writes them to temporary PNG
  /// files.
  ///
  /// @return which of the two was done, in words
  public String show() {
    return String.join("\n", images.stream().map(Image::show).toList());
  }

  /// Writes image `i` as a PNG file that carries its parameters, or as a JPEG file without them, as
  /// the name says.
  ///
  /// @throws io.gatun.models.image.ImageException if the file cannot be written
  public void write(int i, Path file) {
    boolean png = file.toString().toLowerCase(Locale.ROOT).endsWith(".png");
    images
        .get(i)
        .write(file, png ? Map.of(ImageParameters.KEYWORD, parameters.get(i).format()) : Map.of());
  }
}
