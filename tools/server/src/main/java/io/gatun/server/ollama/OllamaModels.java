package io.gatun.server.ollama;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.decoder.Keys;
import io.gatun.models.text.ChatTemplate;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Catalog;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Ollama's `/api/tags`, `/api/ps`, `/api/show` and `/api/version`.
public final class OllamaModels {
  /// Of Ollama, whose API this is: its clients refuse versions that lack what they need.
  private static final String VERSION = "0.13.0";

  /// What a model's headers say of it.
  ///
  /// @param type that most of its parameters have
  private record Details(
      String family, long parameters, String type, int context, int width, String template) {
    static final Details UNKNOWN = new Details("", 0, "", 0, 0, "");

    static Details of(Catalog.Entry entry) {
      if (entry.use() == Use.IMAGES) {
        return UNKNOWN; // a pipeline of several models
      }
      try (var checkpoint = Checkpoint.open(entry.path(), LoadMode.MAP)) {
        var types = new HashMap<String, Long>();
        for (Tensor t : checkpoint.tensors().values()) {
          types.merge(t.dtype().name(), t.size(), Long::sum);
        }
        long all = types.values().stream().mapToLong(n -> n).sum();
        String most =
            types.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse("");
        if (entry.use() == Use.SEGMENTATION) {
          return new Details("sam", all, most, 0, 0, "");
        }
        var keys = Keys.of(checkpoint);
        return new Details(
            keys.type(),
            all,
            most,
            keys.countOrNone("max_position_embeddings"),
            keys.countOrNone("hidden_size"),
            entry.use() == Use.CHAT
                ? ChatTemplate.text(checkpoint.path(), checkpoint.metadata())
                : "");
      } catch (CheckpointException | IllegalArgumentException e) {
        return UNKNOWN; // it fails when it is used, with its reason
      }
    }
  }

  private final Models models;
  private final Map<Catalog.Entry, Details> details = new ConcurrentHashMap<>();

  OllamaModels(Models models) {
    this.models = models;
  }

  void addTo(Routes routes) {
    routes
        .get("/api/version", call -> call.send(node().put("version", VERSION)))
        .get("/api/tags", this::list)
        .get("/api/ps", this::listLoaded)
        .post("/api/show", this::show);
  }

  private static ObjectNode node() {
    return Call.JSON.createObjectNode();
  }

  private Details details(Catalog.Entry entry) {
    return details.computeIfAbsent(entry, Details::of);
  }

  private void list(Call call) throws IOException {
    var body = node();
    var all = body.putArray("models");
    models.catalog().list().forEach(entry -> all.add(describe(entry)));
    call.send(body);
  }

  private void listLoaded(Call call) throws IOException {
    var body = node();
    var all = body.putArray("models");
    var texts = models.textModels();
    for (var entry : models.loaded()) {
      // It stays until another needs its memory.
      var one = describe(entry).put("expires_at", "9999-12-31T23:59:59Z").put("size_vram", 0);
      var text = texts.get(entry.name());
      if (text != null) {
        one.put("context_length", text.engine().contextLimit());
      }
      all.add(one);
    }
    call.send(body);
  }

  private ObjectNode describe(Catalog.Entry entry) {
    var one =
        node()
            .put("name", entry.name())
            .put("model", entry.name())
            .put("modified_at", entry.changed().toString())
            .put("size", entry.bytes())
            .put("digest", digest(entry));
    one.set("details", family(entry));
    return one;
  }

  /// Another one when the files change; their content is not read for it.
  private static String digest(Catalog.Entry entry) {
    String what = entry.name() + " " + entry.bytes() + " " + entry.changed();
    try {
      var sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(what.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private ObjectNode family(Catalog.Entry entry) {
    var known = details(entry);
    String file = entry.path().getFileName().toString();
    var node =
        node()
            .put("parent_model", "")
            .put("format", file.endsWith(".gguf") ? "gguf" : "safetensors")
            .put("family", known.family)
            .put("parameter_size", size(known.parameters))
            .put("quantization_level", known.type);
    node.putArray("families").add(known.family);
    return node;
  }

  private static String size(long parameters) {
    return parameters >= 1_000_000_000
        ? String.format(Locale.ROOT, "%.1fB", parameters / 1e9)
        : String.format(Locale.ROOT, "%.1fM", parameters / 1e6);
  }

  private void show(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    String name = f.text("model", null);
    name = name == null ? f.requiredText("name") : name;
    f.ignore("name", "verbose").only("system", "").only("template", "");
    f.requireAllRead();
    var entry = models.catalog().find(name, Use.CHAT);
    var known = details(entry);
    var body = node().put("template", known.template).put("parameters", "").put("modelfile", "");
    body.put("modified_at", entry.changed().toString());
    body.set("details", family(entry));
    var info = body.putObject("model_info");
    info.put("general.architecture", known.family);
    info.put("general.parameter_count", known.parameters);
    if (known.context > 0) {
      info.put(known.family + ".context_length", known.context);
    }
    if (known.width > 0) {
      info.put(known.family + ".embedding_length", known.width);
    }
    var can = body.putArray("capabilities");
    switch (entry.use()) {
      case CHAT -> {
        can.add("completion");
        if (known.template.contains("tools")) {
          can.add("tools");
        }
        if (known.template.contains("<think>") || known.template.contains("enable_thinking")) {
          can.add("thinking");
        }
      }
      case EMBEDDINGS -> can.add("embedding");
      case RERANK, SEGMENTATION, IMAGES -> can.add(entry.use().word());
    }
    call.send(body);
  }
}
