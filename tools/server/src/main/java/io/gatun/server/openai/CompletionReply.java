package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.Call;
import io.gatun.server.text.Answers;
import java.io.IOException;
import java.util.List;

/// An answer of `/v1/completions`: texts, if asked for with the prompts before them, and how likely
/// their tokens are.
final class CompletionReply extends Reply {
  private final Tokenizer tokenizer;
  private final List<Continuation> choices;
  private final boolean judged;

  /// What follows a prompt.
  static final class Continuation {
    private final int[] prompt;
    private final String echo;
    private final StringBuilder text = new StringBuilder();
    private final StringBuilder thoughts = new StringBuilder();
    private LegacyLogprobs logprobs;
    private boolean echoed;

    /// @param prompt its tokens
    /// @param echo what is said before the answer; null for nothing
    Continuation(int[] prompt, String echo) {
      this.prompt = prompt;
      this.echo = echo;
    }
  }

  /// @param each choices are of one prompt
  /// @param judged whether it tells how likely tokens are
  CompletionReply(
      Answers answers,
      String name,
      Tokenizer tokenizer,
      List<Continuation> choices,
      int each,
      boolean judged) {
    super(answers, "cmpl-", name, choices.size(), each);
    this.tokenizer = tokenizer;
    this.choices = choices;
    this.judged = judged;
  }

  @Override
  String object(boolean whole) {
    return "text_completion";
  }

  /// How likely a choice's tokens are, the prompt's own if it is told.
  private LegacyLogprobs logprobs(int index) {
    var choice = choices.get(index);
    if (choice.logprobs == null) {
      choice.logprobs =
          choice.echo == null
              ? LegacyLogprobs.after(choice.prompt, tokenizer)
              : LegacyLogprobs.of(
                  choice.prompt, choice.echo, answers().promptLogprobs(index), tokenizer);
    }
    return choice.logprobs;
  }

  @Override
  void take(int index, Piece piece) {
    var choice = choices.get(index);
    choice.text.append(piece.text());
    choice.thoughts.append(piece.thought());
    judge(index, piece);
  }

  private void judge(int index, Piece piece) {
    if (piece.logprobs() != null) {
      logprobs(index).add(piece.logprobs());
    }
  }

  @Override
  void finish(int index, Result result) {}

  @Override
  void tell(int index, ObjectNode node) {
    var choice = choices.get(index);
    node.put("text", (choice.echo == null ? "" : choice.echo) + choice.text);
    if (!choice.thoughts.isEmpty()) {
      node.put("reasoning_content", choice.thoughts.toString());
    }
    node.set("logprobs", judged ? logprobs(index).take() : null);
  }

  @Override
  void tellNothing(ObjectNode choice) {
    choice.put("text", "");
  }

  @Override
  void begin(Call call, int index) throws IOException {
    if (!judged) {
      echo(call, index);
    }
  }

  /// The prompt, before the first piece.
  private void echo(Call call, int index) throws IOException {
    var choice = choices.get(index);
    if (choice.echo != null && !choice.echoed) {
      choice.echoed = true;
      send(call, index, choice.echo, "");
    }
  }

  @Override
  void push(Call call, int index, Piece piece) throws IOException {
    echo(call, index);
    judge(index, piece);
    if (!piece.text().isEmpty() || !piece.thought().isEmpty() || piece.logprobs() != null) {
      send(call, index, piece.text(), piece.thought());
    }
  }

  @Override
  void flush(Call call, int index, Result result) throws IOException {
    echo(call, index);
  }

  private void send(Call call, int index, String text, String thought) throws IOException {
    var event = event(index);
    var node = choice(event).put("text", text);
    if (!thought.isEmpty()) {
      node.put("reasoning_content", thought);
    }
    if (judged) {
      node.set("logprobs", logprobs(index).take());
    }
    call.event(event);
  }

  @Override
  String reason(int index, Result result) {
    return Answers.reason(result);
  }
}
