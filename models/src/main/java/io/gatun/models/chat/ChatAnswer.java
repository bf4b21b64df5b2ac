package io.gatun.models.chat;

import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import io.gatun.models.toolcall.ToolCallReader;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;

/// One answer as it comes: what is said, thought and called in it.
public final class ChatAnswer {
  /// A call of a function.
  ///
  /// @param arguments so far
  public record ToolCall(String id, String name, StringBuilder arguments) {}

  /// What comes next of a call.
  ///
  /// @param begins whether it is the call's first part
  public record CallPart(int index, boolean begins, String arguments) {}

  /// What a piece, or the end, adds.
  public record Part(String text, String thought, List<CallPart> calls) {
    public boolean isEmpty() {
      return text.isEmpty() && thought.isEmpty() && calls.isEmpty();
    }
  }

  private final StringBuilder content = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private final List<ToolCall> calls = new ArrayList<>();
  private final ToolCallReader reader;
  private final int most;
  private final StringBuilder text = new StringBuilder();
  private List<CallPart> parts = new ArrayList<>();
  private Result result;

  /// An answer without calls.
  public ChatAnswer() {
    reader = null;
    most = 0;
  }

  /// An answer to a prompt.
  public ChatAnswer(ChatPrompt prompt) {
    reader = prompt.reader(new Sink());
    most = prompt.mostCalls();
  }

  private final class Sink implements ToolCallReader.Sink {
    @Override
    public void text(String piece) {
      text.append(piece);
    }

    @Override
    public void call(int index, String name) {
      if (index >= most) {
        return; // the client takes one at a time
      }
      String id = "call_" + UUID.randomUUID().toString().replace("-", "");
      calls.add(new ToolCall(id, name, new StringBuilder()));
      parts.add(new CallPart(index, true, ""));
    }

    @Override
    public void arguments(int index, String piece) {
      if (index >= most) {
        return;
      }
      calls.get(index).arguments.append(piece);
      var last = parts.isEmpty() ? null : parts.getLast();
      if (last != null && last.index == index) {
        parts.set(parts.size() - 1, new CallPart(index, last.begins, last.arguments + piece));
      } else {
        parts.add(new CallPart(index, false, piece));
      }
    }
  }

  /// What was said.
  public String content() {
    return content.toString();
  }

  /// What was thought before.
  public String thoughts() {
    return thoughts.toString();
  }

  /// What was called, so far.
  public List<ToolCall> calls() {
    return calls;
  }

  /// Reads to the end what an engine writes; if that fails, the engine writes no further.
  ///
  /// @param parts takes what each piece and the end add; the end only of an answer that was neither
  ///   cancelled nor ran out of time
  /// @throws RuntimeException what made the answer fail, or `parts` threw
  /// @throws InterruptedException if the thread is interrupted
  public Result read(Handle handle, Consumer<Part> parts) throws InterruptedException {
    try {
      for (var piece = handle.next(); piece != null; piece = handle.next()) {
        parts.accept(take(piece));
      }
      var whole = handle.await();
      switch (whole.reason()) {
        case TIMEOUT, CANCELLED -> {}
        default -> parts.accept(finish(whole));
      }
      return whole;
    } finally {
      handle.cancel(); // if it has not ended, nobody reads it any more
    }
  }

  /// What a piece adds.
  public Part take(Piece piece) {
    thoughts.append(piece.thought());
    if (reader == null) {
      text.append(piece.text());
    } else {
      reader.push(piece.token(), piece.text());
    }
    return part(piece.thought());
  }

  /// Whether the end has come.
  public boolean isFinished() {
    return result != null;
  }

  /// How it ended; null before that.
  public Result result() {
    return result;
  }

  /// What the end adds.
  public Part finish(Result whole) {
    result = whole;
    if (reader != null) {
      boolean broken =
          whole.reason() == Result.Reason.LENGTH || whole.reason() == Result.Reason.CONTEXT;
      reader.finish(!broken);
    }
    return part("");
  }

  private Part part(String thought) {
    var part = new Part(text.toString(), thought, parts);
    content.append(text);
    text.setLength(0);
    parts = new ArrayList<>();
    return part;
  }
}
