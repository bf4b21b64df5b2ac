package io.gatun.models.pipeline;

import java.util.List;

/// Pictures that a network sees in every step beside the latents.
///
/// @param channels latents (H, W, E) that follow the sample's channels; null for none
/// @param references further images of their own sizes
/// @param controls what steers a UNet
@SuppressWarnings("ArrayRecordComponent") // never compared
public record SeenPictures(float[] channels, List<Reference> references, List<Control> controls) {
  public static final SeenPictures NONE = new SeenPictures(null, List.of(), List.of());

  /// A picture's latents (rows, columns, C).
  public record Reference(float[] latents, int rows, int columns) {}

  /// What a ControlNet sees.
  ///
  /// @param net the number of the ControlNet, in the order in which they were loaded
  /// @param picture (height, width, 3), values 0..1, of the size of the images
  /// @param scale how strongly it steers
  /// @param start the share of the steps after which it begins to
  /// @param end the share of the steps after which it ends to
  public record Control(int net, float[] picture, double scale, double start, double end) {}
}
