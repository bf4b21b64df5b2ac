package io.gatun.tools.text;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.gatun.tools.remote.RemoteServer;
import java.util.concurrent.CancellationException;

/// A conversation with a model that a server has. The messages are kept here and sent each time:
/// the server remembers what it has read.
final class RemoteChat {
  private static final String HELP =
      """
      /new             forget everything and start anew
      /quit, Ctrl-D    leave
      Ctrl-C           stop the answer
      """;

  private final RemoteServer server;
  private final String model;
  private final ChatCommand.Input input;
  private final AnswerOptions answer;
  private final ArrayNode messages = JsonNodeFactory.instance.arrayNode();

  RemoteChat(RemoteServer server, String model, ChatCommand.Input input, AnswerOptions answer) {
    this.server = server;
    this.model = model;
    this.input = input;
    this.answer = answer;
  }

  /// Goes on until the user leaves.
  void run(String instructions) {
    start(instructions);
    for (String line = input.readLine("> "); line != null; line = input.readLine("> ")) {
      switch (line.strip()) {
        case "" -> {}
        case "/quit", "/exit" -> {
          return;
        }
        case "/help", "/?" -> input.out().print(HELP);
        case "/new" -> start(instructions);
        default -> say(line.strip());
      }
      input.out().flush();
    }
  }

  private void start(String instructions) {
    messages.removeAll();
    if (!instructions.isEmpty()) {
      add("system", instructions);
    }
  }

  private void add(String role, String content) {
    messages.addObject().put("role", role).put("content", content);
  }

  private void say(String text) {
    int before = messages.size();
    add("user", text);
    var body = RemoteServer.body();
    answer.tell(body);
    body.put("model", model).set("messages", messages);
    var said = new StringBuilder();
    var out = input.out();
    input.onInterrupt(Thread.currentThread()::interrupt);
    try {
      server.stream(
          "v1/chat/completions",
          body,
          event -> {
            String piece = event.at("/choices/0/delta/content").asText("");
            said.append(piece);
            out.print(piece);
            out.flush();
          });
      add("assistant", said.toString());
      out.println();
    } catch (CancellationException e) {
      add("assistant", said.toString());
      out.println(" [stopped]");
    } catch (IllegalArgumentException e) {
      if (before == 0 || messages.size() == 1) {
        throw e; // nothing was ever said: the command was wrong
      }
      while (messages.size() > before) {
        messages.remove(messages.size() - 1);
      }
      out.println("[" + e.getMessage() + "]");
    } finally {
      input.onInterrupt(() -> {});
      Thread.interrupted(); // a Ctrl-C that came too late
    }
  }
}
