package io.gatun.spark;

import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.TextEmbedder;
import io.gatun.models.chat.ChatEngine;
import io.gatun.models.sam.Sam;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/// The models of an executor. Each is loaded once and stays until the process ends: its tasks share
/// it, and the executors of a machine share the file's pages.
final class Models {
  private static final Map<Object, Object> OPEN = new ConcurrentHashMap<>();

  private Models() {}

  /// An engine whose answers do not depend on what is written beside them, so that a task that is
  /// run again gives the same.
  static ChatEngine chat(GatunOptions o) {
    return (ChatEngine)
        open(
            List.of("chat", o.model, o.threads, o.context, o.parallel, o.memory),
            o.model,
            path ->
                ChatEngine.open(
                    path,
                    l -> {
                      l.threads(o.threads);
                      if (o.context != 0) {
                        l.context(o.context);
                      }
                    },
                    e -> e.parallel(o.parallel).memory(o.memory).batchInvariant(true)));
  }

  static TextEmbedder embedder(GatunOptions o) {
    return (TextEmbedder)
        open(
            List.of("embed", o.model, o.threads, o.truncate),
            o.model,
            path -> TextEmbedder.load(path, e -> e.threads(o.threads).truncate(o.truncate)));
  }

  static Llm llm(GatunOptions o) {
    return (Llm)
        open(
            List.of("llm", o.model, o.threads, o.context),
            o.model,
            path ->
                Llm.load(
                    path,
                    l -> {
                      l.threads(o.threads);
                      if (o.context != 0) {
                        l.context(o.context);
                      }
                    }));
  }

  static Sam sam(GatunOptions o) {
    return (Sam)
        open(
            List.of("sam", o.model, o.threads),
            o.model,
            path -> Sam.load(path, s -> s.threads(o.threads)));
  }

  static StableDiffusion diffusion(GatunOptions o) {
    return (StableDiffusion)
        open(
            List.of("diffusion", o.model, o.threads),
            o.model,
            path -> StableDiffusion.load(path, s -> s.threads(o.threads)));
  }

  private static Object open(Object key, String model, Function<String, Object> load) {
    return OPEN.computeIfAbsent(key, k -> load.apply(Staged.resolve(model)));
  }
}
