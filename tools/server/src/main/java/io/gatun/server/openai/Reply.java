package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import io.gatun.server.http.Call;
import io.gatun.server.http.Errors;
import io.gatun.server.http.Fields;
import io.gatun.server.text.Answers;
import java.io.IOException;
import java.util.Arrays;
import java.util.UUID;

/// An answer with some choices, as a whole or as a stream of events: what chat and completions have
/// in common.
abstract class Reply {
  private final Answers answers;
  private final String id;
  private final long created = System.currentTimeMillis() / 1000;
  private final String model;
  private final int each;
  private final Result[] results;

  /// @param prefix of its id
  /// @param choices how many
  /// @param each choices are of one prompt
  Reply(Answers answers, String prefix, String model, int choices, int each) {
    this.answers = answers;
    id = prefix + UUID.randomUUID();
    this.model = model;
    this.each = each;
    results = new Result[choices];
  }

  final Answers answers() {
    return answers;
  }

  /// What an object of the API is called.
  ///
  /// @param whole whether it is the answer as a whole, or an event
  abstract String object(boolean whole);

  /// Tells what an answer has beside its choices.
  void tellBeside(ObjectNode body) {}

  /// Takes a piece of a choice that is told as a whole.
  abstract void take(int index, Piece piece);

  /// Takes the end of a choice.
  abstract void finish(int index, Result result);

  /// Tells a choice as a whole.
  abstract void tell(int index, ObjectNode choice);

  /// Tells nothing yet, in an event.
  abstract void tellNothing(ObjectNode choice);

  /// What comes before the pieces.
  abstract void begin(Call call, int index) throws IOException;

  /// Tells a piece.
  abstract void push(Call call, int index, Piece piece) throws IOException;

  /// Tells what is left at the end.
  abstract void flush(Call call, int index, Result result) throws IOException;

  abstract String reason(int index, Result result);

  /// Whether a stream ends with the usage.
  static boolean streamsUsage(Fields f) {
    var streaming = f.object("stream_options");
    if (streaming == null) {
      return false;
    }
    boolean usage = streaming.flag("include_usage", false);
    streaming.ignore("include_obfuscation").requireAllRead();
    return usage;
  }

  final void send(Call call) throws IOException, InterruptedException {
    answers.read(
        new Answers.Reader() {
          @Override
          public void piece(int index, Piece piece) {
            take(index, piece);
          }

          @Override
          public void end(int index, Result result) {
            results[index] = result;
            finish(index, result);
          }
        });
    var body = head(object(true));
    var list = body.putArray("choices");
    for (int i = 0; i < results.length; i++) {
      var choice = list.addObject().put("index", i);
      tell(i, choice);
      choice.put("finish_reason", reason(i, results[i]));
    }
    tellBeside(body);
    addUsage(body);
    call.send(body);
  }

  /// @param usage whether an event at the end tells the usage
  final void stream(Call call, boolean usage) throws IOException, InterruptedException {
    call.begin("text/event-stream; charset=utf-8");
    for (int i = 0; i < results.length; i++) {
      begin(call, i);
    }
    try {
      answers.read(
          new Answers.Reader() {
            @Override
            public void piece(int index, Piece piece) throws IOException {
              push(call, index, piece);
            }

            @Override
            public void end(int index, Result result) throws IOException {
              results[index] = result;
              flush(call, index, result);
              var last = event(index);
              choice(last).put("finish_reason", reason(index, result));
              last.set("timings", timings(result.usage()));
              call.event(last);
            }
          },
          call);
    } catch (RuntimeException e) {
      call.event(Errors.body(call.path(), Errors.of(e)));
      return;
    }
    if (usage) {
      var last = head(object(false));
      last.putArray("choices");
      addUsage(last);
      call.event(last);
    }
    call.part("data: [DONE]\n\n");
  }

  private ObjectNode head(String object) {
    return Call.JSON
        .createObjectNode()
        .put("id", id)
        .put("object", object)
        .put("created", created)
        .put("model", model);
  }

  /// An event of a choice, that tells nothing yet.
  final ObjectNode event(int index) {
    var event = head(object(false));
    var choice = event.putArray("choices").addObject().put("index", index);
    tellNothing(choice);
    choice.putNull("logprobs").putNull("finish_reason");
    return event;
  }

  /// The choice of an event.
  static ObjectNode choice(ObjectNode event) {
    return (ObjectNode) event.at("/choices/0");
  }

  /// `usage`, in which each prompt is counted once, and how long the first answer took.
  private void addUsage(ObjectNode body) {
    int prompt = 0;
    int cached = 0;
    for (int i = 0; i < results.length; i += each) {
      prompt += results[i].usage().promptTokens();
      cached += results[i].usage().cachedTokens();
    }
    int written = Arrays.stream(results).mapToInt(result -> result.usage().answerTokens()).sum();
    body.putObject("usage")
        .put("prompt_tokens", prompt)
        .put("completion_tokens", written)
        .put("total_tokens", prompt + written)
        .putObject("prompt_tokens_details")
        .put("cached_tokens", cached);
    body.set("timings", timings(results[0].usage()));
  }

  /// In llama.cpp's words.
  private static ObjectNode timings(Result.Usage usage) {
    double read = Math.max(0, usage.firstTokenSeconds() - usage.queueSeconds());
    double write = Math.max(0, usage.seconds() - usage.firstTokenSeconds());
    int more = Math.max(0, usage.answerTokens() - 1); // the first comes with the prompt
    return Call.JSON
        .createObjectNode()
        .put("cache_n", usage.cachedTokens())
        .put("prompt_n", usage.promptTokens() - usage.cachedTokens())
        .put("prompt_ms", 1000 * read)
        .put("predicted_n", usage.answerTokens())
        .put("predicted_ms", 1000 * write)
        .put("predicted_per_second", write == 0 ? 0 : more / write)
        .put("queue_ms", 1000 * usage.queueSeconds());
  }
}
