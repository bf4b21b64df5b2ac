package io.gatun.server.openai;

import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.TextModel;
import io.gatun.server.models.Use;
import io.gatun.server.text.Answers;
import io.gatun.server.text.Grounding;
import io.gatun.server.text.Library;
import io.gatun.server.text.Messages;
import io.gatun.server.text.Sampling;
import java.util.List;

/// OpenAI's `/v1/chat/completions`.
public final class Chat {
  private static final int TOP = 20;

  private final Models models;
  private final Settings settings;
  private final Library documents;

  /// @param documents to answer from; null for none
  Chat(Models models, Settings settings, Library documents) {
    this.models = models;
    this.settings = settings;
    this.documents = documents;
  }

  void addTo(Routes routes) {
    routes.post("/v1/chat/completions", this::complete);
  }

  private void complete(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.CHAT, TextModel.class)) {
      var model = lease.model();
      int most = f.count("max_tokens", Integer.MAX_VALUE, 1, Integer.MAX_VALUE);
      most = f.count("max_completion_tokens", most, 1, Integer.MAX_VALUE);
      var grounding = Grounding.of(f, documents, most);
      var prompt = Messages.prompt(f, model, grounding);
      var constraint = Sampling.constraint(f);
      if (constraint != null && prompt.isForced()) {
        throw f.invalid("tool_choice", "asks for a call, and another field for another form");
      }
      int answers = f.count("n", 1, 1, settings.parallel);
      boolean logprobs = f.flag("logprobs", false);
      int top = f.count("top_logprobs", 0, 0, TOP);
      if (top > 0 && !logprobs) {
        throw f.invalid("top_logprobs", "is set, and logprobs is not true");
      }
      var request =
          prompt
              .constrained(
                  Sampling.request(f, prompt.tokens(), model, settings.timeout), constraint)
              .logprobs(logprobs ? top : -1);
      request = request.maxTokens(Math.min(most, request.maxTokens()));
      boolean stream = f.flag("stream", false);
      boolean usage = Reply.streamsUsage(f);
      ignoreHarmless(f);
      f.requireAllRead();
      try (var written = Answers.ask(call, model, List.of(request), answers, settings.ping)) {
        var reply =
            new ChatReply(written, lease.name(), model, prompt, answers, grounding.sources());
        if (stream) {
          reply.stream(call, usage);
        } else {
          reply.send(call);
        }
      }
    }
  }

  /// What says who asks, and what is kept of it: nothing is kept here.
  static void ignoreHarmless(Fields f) {
    f.ignore("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention");
    f.only("store", "false");
    f.only("service_tier", "auto", "default");
    f.ignore("prediction"); // what it holds only guides guesses
    f.only("verbosity", "medium");
    f.only("modalities", "[\"text\"]", "");
  }
}
