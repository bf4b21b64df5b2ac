package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.schedulers.Schedulers;
import io.gatun.server.http.Call;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import java.io.IOException;
import java.util.HashSet;

/// OpenAI's `/v1/models`.
public final class ModelList {
  private final Models models;

  ModelList(Models models) {
    this.models = models;
  }

  void addTo(Routes routes) {
    routes.get("/v1/models", this::list);
  }

  private void list(Call call) throws IOException {
    var body = Call.JSON.createObjectNode().put("object", "list");
    var data = body.putArray("data");
    var loaded = new HashSet<>(models.loaded());
    var texts = models.textModels();
    for (var entry : models.catalog().list()) {
      ObjectNode one =
          data.addObject()
              .put("id", entry.name())
              .put("object", "model")
              .put("created", entry.changed().getEpochSecond())
              .put("owned_by", "gatun")
              .put("use", entry.use().word())
              .put("loaded", loaded.contains(entry))
              .put("bytes", entry.bytes());
      var text = texts.get(entry.name());
      if (text != null) {
        one.put("max_model_len", text.engine().contextLimit());
      }
      if (entry.use() == Use.IMAGES) {
        var schedulers = one.putArray("schedulers");
        Schedulers.all().forEach(schedulers::add);
      }
      var sd = models.loaded(StableDiffusion.class).get(entry.name());
      if (sd != null) {
        one.put("default_size", sd.defaultSize());
      }
    }
    call.send(body);
  }
}
