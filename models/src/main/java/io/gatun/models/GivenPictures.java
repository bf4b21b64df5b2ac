package io.gatun.models;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.pipeline.PictureUse;
import io.gatun.models.pipeline.SeenPictures;
import io.gatun.models.unet.ControlNetModel;
import java.util.ArrayList;
import java.util.List;

/// The pictures that a call was given, as its network uses them.
///
/// @param use what the network was trained to do with pictures
/// @param nets the ControlNets that see pictures, too
record GivenPictures(
    ImagineOptions options, PictureUse use, List<ControlNetModel> nets, LatentImages images) {
  /// References are brought to as many pixels if they have more.
  private static final double MOST_PIXELS = 1 << 20;

  /// @throws IllegalArgumentException if there are others than the network needs
  GivenPictures {
    boolean start = options.initImage != null;
    if (options.mask != null && !start) {
      throw new IllegalArgumentException("a mask needs an initial image to keep parts of");
    }
    if (use == PictureUse.INPAINT && options.mask == null) {
      throw new IllegalArgumentException(
          "this model paints a part of a picture anew: give the picture (--init-image, in Java"
              + " o.initImage) and a mask that is white there (--mask, o.mask)");
    }
    int references = options.references.size();
    if (use == PictureUse.EDIT && (references != 1 || start)) {
      throw new IllegalArgumentException(
          "this model changes one picture as the prompt says: give that with --reference (in Java"
              + " o.reference), and no other to start from");
    }
    if (references > 0 && use != PictureUse.EDIT && use != PictureUse.REFERENCES) {
      throw new IllegalArgumentException(
          "this model was not trained to see pictures; --reference is for InstructPix2Pix and"
              + " FLUX.2, --init-image for a picture to start from");
    }
    if (options.controls.size() != nets.size()) {
      throw new IllegalArgumentException(
          "%d pictures for %d ControlNets; each needs its own: name them with --control-image (in Java o.control) in the order of the ControlNets"
              .formatted(options.controls.size(), nets.size()));
    }
  }

  /// Width and height of the picture that is to be changed, in pixels; null for none.
  int[] size(int factor) {
    if (options.references.isEmpty()) {
      return null;
    }
    var first = options.references.getFirst();
    return fitted(first, factor);
  }

  private static int[] fitted(Image picture, int factor) {
    double pixels = (double) picture.width() * picture.height();
    double scale = Math.min(1, Math.sqrt(MOST_PIXELS / pixels));
    return new int[] {
      Math.max(1, (int) (picture.width() * scale / factor)) * factor,
      Math.max(1, (int) (picture.height() * scale / factor)) * factor
    };
  }

  /// The share of the steps that are taken.
  double strength() {
    return options.initImage == null ? 1 : options.strength;
  }

  /// Whether a run begins with the initial image's latents: not where a part of it alone is to be
  /// seen, and that by other ways.
  boolean startsFromImage() {
    return options.initImage != null && (use != PictureUse.INPAINT || strength() < 1);
  }

  /// The initial image in the wanted size.
  Image start(LatentSize size) {
    return images.resized(options.initImage, size);
  }

  /// What is to stay as it is where the network does not see to that itself; null for nothing.
  ///
  /// @param image the initial image's latents
  Denoising.Kept kept(float[] image, float[] noise, LatentSize size) {
    return options.mask == null || use == PictureUse.INPAINT
        ? null
        : new Denoising.Kept(image, noise, images.mask(options.mask, size));
  }

  /// What the network sees in every step.
  SeenPictures seen(LatentSize size, int multiple) {
    float[] channels =
        switch (use) {
          case START, REFERENCES -> null;
          case INPAINT -> inpainting(size);
          case EDIT -> images.unscaled(images.resized(options.references.getFirst(), size));
        };
    var references = new ArrayList<SeenPictures.Reference>();
    if (use == PictureUse.REFERENCES) {
      options.references.forEach(picture -> references.add(reference(picture, size, multiple)));
    }
    var controls = new ArrayList<SeenPictures.Control>();
    for (int net = 0; net < nets.size(); net++) {
      var given = options.controls.get(net);
      float[] picture =
          images.values(images.resized(given.picture(), size), nets.get(net).config().bgr());
      controls.add(
          new SeenPictures.Control(net, picture, given.scale(), given.start(), given.end()));
    }
    return new SeenPictures(channels, references, controls);
  }

  /// The mask, and the latents of what is around it.
  private float[] inpainting(LatentSize size) {
    boolean[] repaint = images.mask(options.mask, size);
    float[] around = images.around(start(size), options.mask, size);
    int channels = size.channels();
    var out = new float[repaint.length * (channels + 1)];
    for (int place = 0; place < repaint.length; place++) {
      int to = place * (channels + 1);
      out[to] = repaint[place] ? 1 : 0;
      System.arraycopy(around, place * channels, out, to + 1, channels);
    }
    return out;
  }

  private SeenPictures.Reference reference(Image picture, LatentSize size, int multiple) {
    int[] own = fitted(picture, size.factor() * multiple);
    var fitted = picture.rgb().resize(own[0], own[1], Filter.LANCZOS, images.workers());
    return new SeenPictures.Reference(
        images.mean(fitted), own[1] / size.factor(), own[0] / size.factor());
  }
}
