package io.gatun.server.openai;

import io.gatun.models.engine.Request;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.TextModel;
import io.gatun.server.models.Use;
import io.gatun.server.openai.CompletionReply.Continuation;
import io.gatun.server.text.Answers;
import io.gatun.server.text.Prompts;
import io.gatun.server.text.Sampling;
import java.util.ArrayList;
import java.util.Arrays;

/// OpenAI's `/v1/completions`: what follows texts, and how likely their own tokens are, which
/// evaluations ask for (`echo` with `logprobs`).
public final class Completions {
  private static final int MAX_TOKENS = 16; // unless the request says more, as OpenAI has it
  private static final int TOP = 20;

  private final Models models;
  private final Settings settings;

  Completions(Models models, Settings settings) {
    this.models = models;
    this.settings = settings;
  }

  void addTo(Routes routes) {
    routes.post("/v1/completions", this::complete);
  }

  private void complete(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.CHAT, TextModel.class)) {
      var model = lease.model();
      int each = f.count("n", 1, 1, settings.parallel);
      f.count("best_of", each, each, each);
      boolean echo = f.flag("echo", false);
      int top = f.count("logprobs", -1, 0, TOP);
      boolean stream = f.flag("stream", false);
      boolean usage = Reply.streamsUsage(f);
      if (!f.text("suffix", "").isEmpty()) {
        throw f.invalid(
            "suffix",
            "is not supported: write the text that follows into the prompt, with the tokens that"
                + " the model knows for it");
      }
      var constraint = Sampling.constraint(f);
      int most = f.count("max_tokens", MAX_TOKENS, 0, Integer.MAX_VALUE);
      boolean marks = f.flag("add_special_tokens", true);
      var choices = new ArrayList<Continuation>();
      var requests = new ArrayList<Request>();
      for (var prompt : Prompts.of(f, "prompt", settings.queue + settings.parallel)) {
        int[] ids =
            prompt.ids() != null
                ? prompt.ids()
                : model.tokenizer().encode(prompt.text(), marks, true);
        if (ids.length == 0) {
          throw f.invalid("prompt", "is empty, and this model puts no token before a text");
        }
        requests.add(
            Sampling.request(f, ids, model, settings.timeout)
                .maxTokens(most)
                .constraint(constraint)
                .logprobs(top)
                .promptLogprobs(echo && top >= 0));
        String text = prompt.text();
        String said = !echo ? null : text != null ? text : readable(ids, model.tokenizer());
        for (int i = 0; i < each; i++) {
          choices.add(new Continuation(ids, said));
        }
      }
      Chat.ignoreHarmless(f);
      f.requireAllRead();
      try (var written = Answers.ask(call, model, requests, each, settings.ping)) {
        var reply =
            new CompletionReply(written, lease.name(), model.tokenizer(), choices, each, top >= 0);
        if (stream) {
          reply.stream(call, usage);
        } else {
          reply.send(call);
        }
      }
    }
  }

  private static String readable(int[] ids, Tokenizer tokenizer) {
    return tokenizer.decode(Arrays.stream(ids).filter(tokenizer::has).toArray());
  }
}
