package io.gatun.server.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.Reranker;
import io.gatun.models.StableDiffusion;
import io.gatun.models.TextEmbedder;
import io.gatun.models.sam.Sam;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Catalog.Entry;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Opens models. Language models have their threads and workspace in common: their steps take turns
/// instead of crowding the processor. The keys and values of each have a budget of its own, so that
/// none loses its prefixes to another's long answers.
final class ModelLoader implements AutoCloseable {
  private final Settings settings;
  private final Map<String, List<Settings.Lora>> loras = new HashMap<>();
  private Ops ops;

  /// @throws CheckpointException if a model that is to be adapted is not among them
  ModelLoader(Settings settings, Catalog catalog) {
    this.settings = settings;
    for (var lora : settings.loras) {
      try {
        var entry = catalog.find(lora.model(), Use.CHAT);
        if (entry.use() != Use.CHAT) {
          throw new CheckpointException(
              "%s is added to language models, and \"%s\" is for %s"
                  .formatted(lora.adapter(), entry.name(), entry.use().word()));
        }
        loras.computeIfAbsent(entry.name(), _ -> new ArrayList<>()).add(lora);
      } catch (ApiException e) {
        throw new CheckpointException(
            "%s cannot be added: %s".formatted(lora.adapter(), e.getMessage()), e);
      }
    }
  }

  /// Loads a model; one at a time.
  ///
  /// @throws io.gatun.loaders.CheckpointException if it cannot be loaded
  AutoCloseable open(Entry entry) {
    var path = entry.path();
    int threads = settings.threads;
    return switch (entry.use()) {
      case CHAT -> TextModel.open(Llm.load(path, o -> choose(entry, o)), settings);
      case EMBEDDINGS -> TextEmbedder.load(path, o -> o.threads(threads));
      case RERANK -> Reranker.load(path, o -> o.threads(threads));
      case SEGMENTATION -> new SegmentationModel(Sam.load(path, o -> o.threads(threads)));
      case IMAGES -> StableDiffusion.load(path, o -> o.threads(threads).notices(settings.notices));
    };
  }

  private void choose(Entry entry, LlmOptions o) {
    if (ops == null) {
      ops = new Ops(Backend.NATIVE, settings.threads, Precision.FAST);
    }
    o.ops(ops).pack(settings.pack).kv(settings.kv).notices(settings.notices);
    loras
        .getOrDefault(entry.name(), List.of())
        .forEach(lora -> o.lora(lora.adapter(), lora.strength()));
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
