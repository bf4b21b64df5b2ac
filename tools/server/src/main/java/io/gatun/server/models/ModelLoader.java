package io.gatun.server.models;

import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.Reranker;
import io.gatun.models.StableDiffusion;
import io.gatun.models.TextEmbedder;
import io.gatun.models.sam.Sam;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Catalog.Entry;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;

/// Opens models. Language models have their threads and workspace in common: their steps take turns
/// instead of crowding the processor. The keys and values of each have a budget of its own, so that
/// none loses its prefixes to another's long answers.
final class ModelLoader implements AutoCloseable {
  private final Settings settings;
  private Ops ops;

  ModelLoader(Settings settings) {
    this.settings = settings;
  }

  /// Loads a model; one at a time.
  ///
  /// @throws io.gatun.loaders.CheckpointException if it cannot be loaded
  AutoCloseable open(Entry entry) {
    var path = entry.path();
    int threads = settings.threads;
    return switch (entry.use()) {
      case CHAT -> TextModel.open(Llm.load(path, this::choose), settings);
      case EMBEDDINGS -> TextEmbedder.load(path, o -> o.threads(threads));
      case RERANK -> Reranker.load(path, o -> o.threads(threads));
      case SEGMENTATION -> new SegmentationModel(Sam.load(path, o -> o.threads(threads)));
      case IMAGES -> StableDiffusion.load(path, o -> o.threads(threads).notices(settings.notices));
    };
  }

  private void choose(LlmOptions o) {
    if (ops == null) {
      ops = new Ops(Backend.NATIVE, settings.threads, Precision.FAST);
    }
    o.ops(ops).pack(settings.pack).kv(settings.kv).notices(settings.notices);
    if (settings.context > 0) {
      o.context(settings.context);
    }
  }

  /// Ends the threads; all models must be closed.
  @Override
  public void close() {
    if (ops != null) {
      ops.close();
    }
  }
}
