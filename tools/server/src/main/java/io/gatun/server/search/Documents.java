package io.gatun.server.search;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.NamedModels;
import io.gatun.models.Reranker;
import io.gatun.search.Grounds;
import io.gatun.search.Index;
import io.gatun.search.Passage;
import io.gatun.search.SearchException;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Catalog;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.server.text.Library;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.eclipse.jetty.http.HttpStatus;

/// The index that is served. What another process adds to it meanwhile is found, too.
public final class Documents implements Library, AutoCloseable {
  private static final int PAGE = 100;

  private final Models models;
  private final String embedder;
  private final Index index;

  private Documents(Models models, String embedder, Index index) {
    this.models = models;
    this.embedder = embedder;
    this.index = index;
  }

  /// Puts the index's embedder among the models, if it is not there.
  ///
  /// @throws IllegalArgumentException if there is no index, or its embedder cannot be found
  public static void addEmbedder(Settings settings) {
    Path folder = Index.find(settings.index);
    try {
      String known = Index.embedderOf(folder);
      if (known.isEmpty()) {
        return;
      }
      Path path = NamedModels.find(settings.embedder == null ? Path.of(known) : settings.embedder);
      if (!settings.models.containsValue(path)) {
        String name = Catalog.name(path);
        settings.models.put(settings.models.containsKey(name) ? path.toString() : name, path);
      }
      settings.embedder = path;
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    } catch (CheckpointException e) {
      throw new IllegalArgumentException(
          "%s: its embedder cannot be found: %s Say with --embedder where it lies now"
              .formatted(folder, e.getMessage()),
          e);
    }
  }

  /// Opens the index, and makes sure that its embedder is the one that it was made with.
  ///
  /// @throws IllegalArgumentException if it is not
  public static Documents open(Models models, Settings settings) {
    Path folder = Index.find(settings.index);
    String name =
        models.catalog().list().stream()
            .filter(entry -> entry.path().equals(settings.embedder))
            .map(Catalog.Entry::name)
            .findFirst()
            .orElse(null);
    try {
      var embedder = name == null ? null : new LeasedEmbedder(models, name);
      return new Documents(models, name, Index.open(folder, embedder));
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    } catch (ApiException e) { // no room for the embedder, or it is no embedder
      throw new IllegalArgumentException(folder + ": its embedder: " + e.getMessage(), e);
    }
  }

  /// What is asked of documents.
  public void addTo(Routes routes) {
    routes.post("/v1/search", this::search).get("/v1/documents", this::list);
  }

  private void search(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    String query = f.requiredText("query");
    var wanted = Wanted.of(f, embedder != null);
    f.ignore("user").requireAllRead();
    var body = Call.JSON.createObjectNode().put("object", "list").put("model", embedder);
    body.set("results", nodes(find(query, wanted)));
    call.send(body);
  }

  private List<Passage> find(String query, Wanted wanted) {
    try (var lease =
        wanted.reranker() == null
            ? null
            : models.lease(wanted.reranker(), Use.RERANK, Reranker.class)) {
      return index.search(
          query,
          o -> {
            o.count(wanted.count()).candidates(wanted.candidates()).mode(wanted.mode());
            o.reranker(lease == null ? null : lease.model());
          });
    } catch (SearchException e) {
      throw e.getCause() instanceof IOException
          ? ApiException.of(HttpStatus.INTERNAL_SERVER_ERROR_500, "index_error", e.getMessage())
          : ApiException.invalid("query", e.getMessage());
    }
  }

  private static ArrayNode nodes(List<Passage> passages) {
    var all = Call.JSON.createArrayNode();
    for (var passage : passages) {
      var one = all.addObject().put("number", all.size());
      one.put("place", passage.place());
      one.setAll((ObjectNode) Call.JSON.valueToTree(passage.fields()));
    }
    return all;
  }

  private void list(Call call) throws IOException {
    var f = call.parameters();
    String after = f.text("after", "");
    f.requireAllRead();
    var sources = index.sources(after, PAGE + 1);
    var body =
        Call.JSON
            .createObjectNode()
            .put("object", "list")
            .put("model", embedder)
            .put("documents", index.size())
            .put("passages", index.chunks());
    var data = body.putArray("data");
    for (var source : sources.subList(0, Math.min(PAGE, sources.size()))) {
      data.addObject().put("source", source.name()).put("passages", source.chunks());
    }
    call.send(body.put("has_more", sources.size() > PAGE));
  }

  @Override
  public Search search(Fields f) {
    JsonNode value = f.get("search");
    if (value == null || value.isBoolean()) {
      return value == null || !value.booleanValue() ? null : grounding(Wanted.DEFAULT);
    }
    var how = f.object("search");
    var wanted = Wanted.of(how, embedder != null);
    how.requireAllRead();
    return grounding(wanted);
  }

  private Search grounding(Wanted wanted) {
    return (question, room, tokens) -> {
      var passages = find(question, wanted);
      if (passages.isEmpty()) {
        return new Grounded(question, Call.JSON.createArrayNode());
      }
      var grounds = Grounds.of(question, passages, room, tokens);
      return new Grounded(grounds.prompt(), nodes(grounds.passages()));
    };
  }

  @Override
  public void close() {
    index.close();
  }
}
