package io.gatun.models.pipeline;

/// What a network was trained to do with a picture that it is given.
public enum PictureUse {
  /// Nothing: a run may start from it in place of noise.
  START,
  /// To paint a part of it anew, for which it sees the rest, and where that is.
  INPAINT,
  /// To change it as the prompt says.
  EDIT,
  /// To make another from it and from further ones.
  REFERENCES
}
