package io.gatun.models.pipeline;

/// A pipeline whose transformer it runs itself, on texts that it reads itself.
interface TransformerPipeline extends Pipeline, Denoiser, TextConditions {
  @Override
  default TextConditions text() {
    return this;
  }

  @Override
  default Denoiser denoiser() {
    return this;
  }
}
