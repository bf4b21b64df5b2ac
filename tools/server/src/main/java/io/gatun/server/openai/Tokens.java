package io.gatun.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.TextEmbedder;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Models;
import io.gatun.server.models.TextModel;
import io.gatun.server.models.Use;
import io.gatun.server.text.Prompts;
import java.io.IOException;
import java.util.OptionalInt;

/// Texts to tokens and back, in the words of vLLM and of llama.cpp's server: `/tokenize`,
/// `/detokenize`, and `/tokenizer_info`, which evaluations ask for.
public final class Tokens {
  private final Models models;

  Tokens(Models models) {
    this.models = models;
  }

  void addTo(Routes routes) {
    routes
        .post("/tokenize", this::tokenize)
        .post("/detokenize", this::detokenize)
        .get("/tokenizer_info", this::tell);
  }

  /// A tokenizer whose model stays loaded until this is closed.
  private record Used(Models.Lease<AutoCloseable> lease) implements AutoCloseable {
    Tokenizer tokenizer() {
      return switch (lease.model()) {
        case TextModel model -> model.tokenizer();
        case TextEmbedder model -> model.tokenizer();
        default ->
            throw ApiException.invalid(
                "model", "the model \"%s\" tells no tokens".formatted(lease.name()));
      };
    }

    int limit() {
      return switch (lease.model()) {
        case TextModel model -> model.engine().contextLimit();
        case TextEmbedder model -> model.maxTokens();
        default -> 0;
      };
    }

    @Override
    public void close() {
      lease.close();
    }
  }

  private Used use(String name) {
    var entry = models.catalog().find(name, Use.CHAT);
    return new Used(models.lease(entry.name(), entry.use(), AutoCloseable.class));
  }

  private void tokenize(Call call) throws IOException, InterruptedException {
    var f = Fields.of(call.json(), "");
    try (var used = use(f.text("model", null))) {
      var tokenizer = used.tokenizer();
      String text = either(f, "prompt", "content");
      boolean marks = f.flag("add_special_tokens", f.flag("add_special", f.has("prompt")));
      boolean special = f.flag("parse_special", true);
      boolean pieces = f.flag("return_token_strs", false);
      f.requireAllRead();
      var body = Call.JSON.createObjectNode();
      var tokens = body.putArray("tokens");
      int[] ids = tokenizer.encode(text, marks, special);
      for (int id : ids) {
        tokens.add(id);
      }
      body.put("count", ids.length).put("max_model_len", used.limit());
      if (pieces) {
        var strings = body.putArray("token_strs");
        for (int id : ids) {
          strings.add(tokenizer.piece(id));
        }
      }
      call.send(body);
    }
  }

  private static String either(Fields f, String name, String other) {
    if (f.has(name) && f.has(other)) {
      throw f.invalid(other, "is given, and \"%s\" is, too".formatted(name));
    }
    return f.has(other) ? f.text(other, null) : f.requiredText(name);
  }

  private void detokenize(Call call) throws IOException, InterruptedException {
    var f = Fields.of(call.json(), "");
    try (var used = use(f.text("model", null))) {
      var tokenizer = used.tokenizer();
      JsonNode list = f.get("tokens");
      if (list == null) {
        throw f.missing("tokens");
      }
      f.requireAllRead();
      int[] ids = list.isEmpty() && list.isArray() ? new int[0] : Prompts.ids(f, "tokens", list);
      String text = tokenizer.decode(ids, false);
      call.send(Call.JSON.createObjectNode().put("prompt", text).put("content", text));
    }
  }

  private void tell(Call call) throws IOException {
    try (var used = use(null)) {
      var tokenizer = used.tokenizer();
      var body =
          Call.JSON
              .createObjectNode()
              .put("model", used.lease().name())
              .put("vocab_size", tokenizer.size())
              .put("model_max_length", used.limit());
      mark(body, "bos_token", tokenizer.bos(), tokenizer);
      mark(body, "eos_token", tokenizer.eos(), tokenizer);
      if (used.lease().model() instanceof TextModel model && model.template() != null) {
        body.put("chat_template", model.template().text());
      }
      call.send(body);
    }
  }

  private static void mark(ObjectNode body, String name, OptionalInt id, Tokenizer tokenizer) {
    if (id.isPresent()) {
      body.put(name, tokenizer.piece(id.getAsInt())).put(name + "_id", id.getAsInt());
    } else {
      body.putNull(name).putNull(name + "_id");
    }
  }
}
