package io.gatun.models;

import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.diffusion.schedulers.Scheduler;
import io.gatun.models.pipeline.LatentSize;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What images were made with, as their files tell it.
final class MadeWith {
  private final Path model;
  private final StableDiffusionOptions options;
  private List<SourceFile> loadedFiles;

  MadeWith(Path model, StableDiffusionOptions options) {
    this.model = model;
    this.options = options;
  }

  /// The parameters of each image of a batch.
  List<ImageParameters> parameters(
      String prompt, ImagineOptions o, LatentSize size, Scheduler scheduler) {
    var all = new ArrayList<ImageParameters>();
    var sources = new ArrayList<>(loadedFiles());
    if (o.initImage != null) {
      sources.add(SourceFile.of(SourceFile.Kind.INIT_IMAGE, o.initImage));
    }
    if (o.mask != null) {
      sources.add(SourceFile.of(SourceFile.Kind.MASK, o.mask));
    }
    o.references.forEach(p -> sources.add(SourceFile.of(SourceFile.Kind.REFERENCE, p)));
    o.controls.forEach(c -> sources.add(SourceFile.of(SourceFile.Kind.CONTROL_IMAGE, c.picture())));
    for (int b = 0; b < o.batch; b++) {
      all.add(ImageSettings.write(prompt, o, b, size, scheduler, options, sources));
    }
    return all;
  }

  /// What was loaded beside the model's own files; their bytes are hashed once.
  private List<SourceFile> loadedFiles() {
    if (loadedFiles == null) {
      loadedFiles = new ArrayList<>();
      loadedFiles.add(SourceFile.named(SourceFile.Kind.MODEL, model));
      if (options.network != null) {
        loadedFiles.add(SourceFile.named(SourceFile.Kind.NETWORK, options.network));
      }
      options.textEncoders.forEach(
          path -> loadedFiles.add(SourceFile.named(SourceFile.Kind.TEXT_ENCODER, path)));
      if (options.vae != null) {
        loadedFiles.add(SourceFile.of(SourceFile.Kind.VAE, options.vae, 1));
      }
      options.embeddings.forEach(
          path -> loadedFiles.add(SourceFile.of(SourceFile.Kind.EMBEDDING, path, 1)));
      options.controlNets.forEach(
          path -> loadedFiles.add(SourceFile.of(SourceFile.Kind.CONTROLNET, path, 1)));
      options.loras.forEach(
          (file, scale) -> loadedFiles.add(SourceFile.of(SourceFile.Kind.LORA, file, scale)));
    }
    return loadedFiles;
  }
}
