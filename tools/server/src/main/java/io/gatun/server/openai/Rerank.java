package io.gatun.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.Reranker;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// `/v1/rerank`, in the form of Jina's and Cohere's APIs: how well documents answer a query, the
/// best first.
public final class Rerank {
  private static final int DOCUMENTS = 2048;

  private final Models models;

  Rerank(Models models) {
    this.models = models;
  }

  void addTo(Routes routes) {
    routes.post("/v1/rerank", this::rank);
  }

  private void rank(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.RERANK, Reranker.class)) {
      String query = f.requiredText("query");
      var documents = documents(f);
      int most = f.count("top_n", documents.size(), 1, Integer.MAX_VALUE);
      boolean told = f.flag("return_documents", false);
      f.ignore("user").requireAllRead();
      call.interruptOnDisconnect();
      var found = lease.model().judge(query, documents);
      float[] scores = found.scores();
      var body = Call.JSON.createObjectNode().put("object", "list").put("model", lease.name());
      var results = body.putArray("results");
      IntStream.range(0, scores.length)
          .boxed()
          .sorted(Comparator.comparingDouble((Integer i) -> -scores[i]))
          .limit(most)
          .forEach(
              i -> {
                var one = results.addObject().put("index", i).put("relevance_score", scores[i]);
                if (told) {
                  one.putObject("document").put("text", documents.get(i));
                }
              });
      body.putObject("usage")
          .put("prompt_tokens", found.tokens())
          .put("total_tokens", found.tokens());
      call.send(body);
    }
  }

  private static List<String> documents(Fields f) {
    var texts = new ArrayList<String>();
    for (JsonNode each : f.array("documents", DOCUMENTS)) {
      if (each.isTextual()) {
        texts.add(each.textValue());
      } else {
        var document = Fields.of(each, "documents");
        texts.add(document.requiredText("text"));
        document.requireAllRead();
      }
    }
    if (texts.isEmpty()) {
      throw f.missing("documents");
    }
    return texts;
  }
}
