package io.gatun.server.text;

import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.models.TextModel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpStatus;

/// The answers to a request as they come, several mixed. They end when the client goes away, or
/// when this is closed.
public final class Answers implements AutoCloseable {
  /// Takes what comes.
  public interface Reader {
    /// A piece of an answer.
    void piece(int index, Piece piece) throws IOException;

    /// The end of an answer.
    void end(int index, Result result) throws IOException;
  }

  private record Event(int index, Piece piece, Result result, RuntimeException failure) {}

  /// So many are read ahead; beyond that the engine waits for a slow client.
  private static final int AHEAD = 16;

  private final List<Handle> handles;
  private final Duration ping;
  private final BlockingQueue<Event> events = new ArrayBlockingQueue<>(AHEAD);
  private final List<Thread> readers = new ArrayList<>();
  private int running;

  private Answers(List<Handle> handles, Duration ping) {
    this.handles = handles;
    this.ping = ping;
    running = handles.size();
    for (int i = 0; i < handles.size(); i++) {
      int index = i;
      readers.add(Thread.ofVirtual().name("gatun-answer").start(() -> read(index)));
    }
  }

  /// Asks for answers to each of some prompts.
  ///
  /// @param ping after which time without a word a stream says that it goes on
  public static Answers ask(
      Call call, TextModel model, List<Request> requests, int each, Duration ping) {
    var handles = new ArrayList<Handle>();
    try {
      for (var request : requests) {
        handles.addAll(model.engine().submit(request, each));
      }
    } catch (RuntimeException e) {
      handles.forEach(Handle::cancel);
      throw e;
    }
    call.onDisconnect(() -> handles.forEach(Handle::cancel));
    return new Answers(handles, ping);
  }

  private void read(int index) {
    var handle = handles.get(index);
    try {
      for (var piece = handle.next(); piece != null; piece = handle.next()) {
        events.put(new Event(index, piece, null, null));
      }
      var result = handle.await();
      events.put(new Event(index, null, result, null));
    } catch (InterruptedException e) {
      handle.cancel(); // nobody reads any more
    } catch (RuntimeException e) {
      try {
        events.put(new Event(index, null, null, e));
      } catch (InterruptedException interrupted) {
        handle.cancel();
      }
    }
  }

  /// Hands everything on, until the last answer has ended.
  ///
  /// @throws ApiException if an answer ended for another reason than that it is whole
  public void read(Reader reader) throws InterruptedException, IOException {
    while (running > 0) {
      hand(events.take(), reader);
    }
  }

  /// Hands everything on, and sends a comment every so often where nothing comes: what stands
  /// between may end a connection on which nothing comes, and a long prompt takes its time.
  ///
  /// @throws IOException if the client is gone
  /// @throws ApiException if an answer ended for another reason than that it is whole
  public void read(Reader reader, Call call) throws InterruptedException, IOException {
    while (running > 0) {
      var event = events.poll(ping.toMillis(), TimeUnit.MILLISECONDS);
      if (event == null) {
        call.part(": still at it\n\n");
      } else {
        hand(event, reader);
      }
    }
  }

  private void hand(Event event, Reader reader) throws IOException {
    if (event.failure != null) {
      throw event.failure;
    }
    if (event.piece != null) {
      reader.piece(event.index, event.piece);
      return;
    }
    running--;
    check(event.result);
    reader.end(event.index, event.result);
  }

  /// How likely the tokens of an answer's prompt were, once its first piece has come.
  public List<TokenLogprobs> promptLogprobs(int index) {
    return handles.get(index).promptLogprobs();
  }

  /// Whether it ended for want of room, as OpenAI and Ollama tell it.
  public static String reason(Result result) {
    return switch (result.reason()) {
      case LENGTH, CONTEXT -> "length";
      default -> "stop";
    };
  }

  private static void check(Result result) {
    switch (result.reason()) {
      case TIMEOUT ->
          throw ApiException.of(
              HttpStatus.GATEWAY_TIMEOUT_504,
              "timeout",
              "the answer took longer than this server's limit; ask for fewer tokens");
      case CANCELLED ->
          throw ApiException.of(
              HttpStatus.SERVICE_UNAVAILABLE_503, "cancelled", "the answer was cancelled");
      case END, STOP, LENGTH, CONTEXT -> {}
    }
  }

  @Override
  public void close() {
    handles.forEach(Handle::cancel);
    readers.forEach(Thread::interrupt);
  }
}
