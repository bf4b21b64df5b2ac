package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.files.PipelineFiles;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/// The pipelines that Gatun runs, by the class that model_index.json names.
public final class Pipelines {
  /// One kind of them: the classes that go by it, and what makes one of its parts.
  private record Kind(Set<String> classNames, Function<PipelineParts, Pipeline> make) {}

  private static final List<Kind> ALL =
      List.of(
          new Kind(UNetPipeline.CLASS_NAMES, UNetPipeline::new),
          new Kind(PixArtPipeline.CLASS_NAMES, PixArtPipeline::new),
          new Kind(StableDiffusion3Pipeline.CLASS_NAMES, StableDiffusion3Pipeline::new),
          new Kind(FluxPipeline.CLASS_NAMES, FluxPipeline::new),
          new Kind(ZImagePipeline.CLASS_NAMES, ZImagePipeline::new),
          new Kind(Flux2KleinPipeline.CLASS_NAMES, Flux2KleinPipeline::new));

  private Pipelines() {}

  /// The pipeline that files hold.
  ///
  /// @throws CheckpointException if Gatun does not run it, or a part is not as its configuration
  ///   says
  public static Pipeline of(PipelineParts parts) {
    return kind(parts.files()).make.apply(parts);
  }

  private static Kind kind(PipelineFiles files) {
    String name = files.index().text("_class_name", UNetPipeline.CLASS_NAME);
    return ALL.stream()
        .filter(kind -> kind.classNames.contains(name))
        .findFirst()
        .orElseThrow(
            () -> {
              var known = new TreeSet<String>();
              ALL.forEach(kind -> known.addAll(kind.classNames));
              return new CheckpointException(
                  "%s: \"_class_name\" is \"%s\"; Gatun runs %s"
                      .formatted(files.index().where(), name, String.join(", ", known)));
            });
  }
}
