package io.gatun.models.pipeline;

/// A pipeline whose transformer it runs itself, on texts that it reads itself.
interface TransformerPipeline extends Pipeline, Denoiser, TextConditions {
  int MOST_TEXT_TOKENS = 512;

  /// The numbers of a token in the transformer.
  int width();

  /// Each image by itself. At most a few matrices of a feed-forward part's width, which is four of
  /// the transformer's, are there at once.
  @Override
  default long workNumbers(LatentSize size, double guidance) {
    long tokens = (long) size.height() * size.width() / ((long) multiple() * multiple());
    return 24L * (tokens + MOST_TEXT_TOKENS) * width();
  }

  @Override
  default TextConditions text() {
    return this;
  }

  @Override
  default Denoiser denoiser() {
    return this;
  }
}
