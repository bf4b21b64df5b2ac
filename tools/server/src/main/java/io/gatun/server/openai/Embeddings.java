package io.gatun.server.openai;

import io.gatun.models.TextEmbedder;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.server.text.Prompts;
import io.gatun.server.text.Vectors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.Objects;

/// OpenAI's `/v1/embeddings`: vectors of texts.
public final class Embeddings {
  private static final int TEXTS = 2048;

  private final Models models;

  Embeddings(Models models) {
    this.models = models;
  }

  void addTo(Routes routes) {
    routes.post("/v1/embeddings", this::embed);
  }

  private void embed(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.EMBEDDINGS, TextEmbedder.class)) {
      var model = lease.model();
      // As sentence-transformers and TEI call what the model wants before a text.
      String promptName = f.text("prompt_name", model.defaultPrompt());
      if (promptName != null && !model.prompts().containsKey(promptName)) {
        throw f.invalid(
            "prompt_name",
            "is \"%s\"; the model has %s".formatted(promptName, model.prompts().keySet()));
      }
      var vectors = new Vectors(f, model);
      boolean base64 =
          switch (f.text("encoding_format", "float")) {
            case "float" -> false;
            case "base64" -> true;
            case String other ->
                throw f.invalid(
                    "encoding_format", "is \"%s\"; need float or base64".formatted(other));
          };
      var inputs = Prompts.of(f, "input", TEXTS);
      var texts = inputs.stream().map(Prompts.Prompt::text).filter(Objects::nonNull).toList();
      var encoded = vectors.encode(texts, promptName).iterator();
      var ids =
          inputs.stream().map(input -> input.ids() == null ? encoded.next() : input.ids()).toList();
      f.ignore("user").requireAllRead();
      call.interruptOnDisconnect();
      var body = Call.JSON.createObjectNode().put("object", "list").put("model", lease.name());
      var data = body.putArray("data");
      for (float[] vector : vectors.of(ids)) {
        var one = data.addObject().put("object", "embedding").put("index", data.size() - 1);
        if (base64) {
          one.put("embedding", base64(vector));
        } else {
          var numbers = one.putArray("embedding");
          for (float v : vector) {
            numbers.add(v);
          }
        }
      }
      vectors.warn(body);
      int tokens = ids.stream().mapToInt(each -> each.length).sum();
      body.putObject("usage").put("prompt_tokens", tokens).put("total_tokens", tokens);
      call.send(body);
    }
  }

  private static String base64(float[] vector) {
    var bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(vector);
    return Base64.getEncoder().encodeToString(bytes.array());
  }
}
