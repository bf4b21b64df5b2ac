package io.gatun.server.ollama;

import io.gatun.models.TextEmbedder;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.server.text.Vectors;
import java.io.IOException;
import java.util.List;

/// Ollama's `/api/embed` and `/api/embeddings`. Unlike Ollama's own, this server cuts nothing
/// unless `truncate` asks for it.
public final class OllamaEmbeddings {
  private static final int TEXTS = 2048;

  private final Models models;

  public OllamaEmbeddings(Models models) {
    this.models = models;
  }

  public void addTo(Routes routes) {
    routes.post("/api/embed", this::embed).post("/api/embeddings", this::embedOne);
  }

  private void embed(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    embed(call, f, f.texts("input", TEXTS), true);
  }

  private void embedOne(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    embed(call, f, List.of(f.requiredText("prompt")), false);
  }

  private void embed(Call call, Fields f, List<String> texts, boolean several) throws IOException {
    long began = System.nanoTime();
    try (var lease = models.lease(f.requiredText("model"), Use.EMBEDDINGS, TextEmbedder.class)) {
      var model = lease.model();
      long loaded = System.nanoTime() - began;
      var vectors = new Vectors(f, model);
      f.ignore("options");
      boolean leaves = KeepAlive.isOver(f);
      f.requireAllRead();
      call.interruptOnDisconnect();
      var ids = vectors.encode(texts, model.defaultPrompt());
      var all = Call.JSON.createArrayNode();
      for (float[] vector : vectors.of(ids)) {
        var numbers = all.addArray();
        for (float v : vector) {
          numbers.add(v);
        }
      }
      var body = Call.JSON.createObjectNode();
      if (several) {
        body.put("model", lease.name()).set("embeddings", all);
        body.put("total_duration", System.nanoTime() - began)
            .put("load_duration", loaded)
            .put("prompt_eval_count", ids.stream().mapToInt(each -> each.length).sum());
      } else {
        body.set("embedding", all.get(0));
      }
      vectors.warn(body);
      if (leaves) {
        lease.leave();
      }
      call.send(body);
    }
  }
}
