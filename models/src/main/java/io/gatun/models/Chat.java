package io.gatun.models;

import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.ChatTemplate.Message;
import io.gatun.tensor.runtime.Owner;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/// A conversation in the form of the checkpoint's own chat template. What was said stays in the
/// cache, so each turn reads only what is new. Any thread may use it; calls wait for each other.
public final class Chat implements AutoCloseable {
  private final ChatTemplate template;
  private final LlmSession session;
  private final List<Message> messages = new ArrayList<>();

  Chat(Llm llm, ChatTemplate template) {
    this.template = template;
    session = llm.newSession();
  }

  /// Starts anew, with instructions for the assistant, or none if `system` is empty.
  public void start(String system) {
    Objects.requireNonNull(system, "the system's message is null");
    try (var _ = session.change()) {
      messages.clear();
      if (!system.isEmpty()) {
        messages.add(new Message("system", system));
      }
    }
  }

  /// The most tokens that the conversation can have.
  public int contextLimit() {
    return session.capacity();
  }

  /// Goes on where these messages end, instead of those that were said here.
  public void restore(List<Message> said) {
    try (var _ = session.change()) {
      var copy = List.copyOf(said);
      messages.clear();
      messages.addAll(copy);
    }
  }

  /// What was said so far, the system's message first if there is one.
  public List<Message> messages() {
    try (var _ = session.owner().turn()) {
      return List.copyOf(messages);
    }
  }

  /// Says something and returns the answer. A conversation that outgrows the context loses its
  /// oldest turns, the system's message aside.
  ///
  /// An answer that is interrupted stays as far as it came; if nothing had come, the conversation
  /// is as it was before.
  ///
  /// @throws IllegalArgumentException if the message alone exceeds the context, or the template
  ///   refuses the conversation; it is then as it was before
  /// @throws IllegalStateException if it or the model is closed, or its own sink calls
  public Generation say(String text, Consumer<GenerateOptions> choose) {
    Objects.requireNonNull(text, "the text is null");
    Objects.requireNonNull(choose, "what chooses the options is null");
    Owner.Use turn;
    try {
      turn = session.change();
    } catch (CancellationException interrupted) {
      return Generation.cancelled(0, 0); // nothing was drawn
    }
    try (turn) {
      var before = List.copyOf(messages);
      messages.add(new Message("user", text));
      boolean answered = false;
      try {
        int[] prompt = prompt();
        while (prompt.length >= session.capacity() && dropOldestTurn()) {
          prompt = prompt();
        }
        var answer = session.generate(prompt, choose);
        answered = answer.ids().length > 0 || answer.reason() != Generation.Reason.CANCELLED;
        messages.add(new Message("assistant", answer.text()));
        return answer;
      } finally {
        if (!answered) {
          messages.clear();
          messages.addAll(before);
        }
      }
    }
  }

  /// Turns that were dropped are those before the oldest user's message that is left.
  private boolean dropOldestTurn() {
    int first = messages.getFirst().role().equals("system") ? 1 : 0;
    if (messages.size() - first < 3) {
      return false;
    }
    messages.subList(first, first + 2).clear();
    return true;
  }

  private int[] prompt() {
    return template.encode(messages, true);
  }

  /// `Chat(4 messages)`.
  @Override
  public String toString() {
    return session.owner().isClosed()
        ? "Chat(closed)"
        : "Chat(%d messages)".formatted(messages.size());
  }

  /// Ends the answer that another thread is getting and frees the cache; a second call does
  /// nothing.
  @Override
  public void close() {
    session.close();
  }
}
