package io.gatun.tools;

import io.gatun.models.Chat;
import io.gatun.models.Generation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun chat`: a conversation.
@Command(
    name = "chat",
    description = "Talk with a language model.",
    footer = "%nWithin the chat: /help",
    sortOptions = false)
final class ChatCommand implements Runnable {
  private static final String HELP =
      """
      /new              forget everything and start anew
      /system TEXT      start anew with instructions for the assistant
      /quit, Ctrl-D     leave
      Ctrl-C            stop the answer
      """;

  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model;

  @Option(names = "--system", paramLabel = "TEXT", description = "Instructions for the assistant.")
  private String system = "";

  @Mixin private AnswerOptions answer = new AnswerOptions(512);

  @Option(names = "--stats", description = "Print speeds after each answer.")
  private boolean stats;

  /// Where the user's lines come from; null at the end.
  interface Input extends AutoCloseable {
    String readLine();

    PrintWriter out();

    /// Calls `stop` when the user presses Ctrl-C, until the next line is read.
    void onInterrupt(Runnable stop);

    @Override
    void close();
  }

  @Override
  public void run() {
    answer.check();
    var stdio = Stdio.of(spec);
    try (var llm = model.load();
        var chat = llm.newChat();
        var input = stdio.isInteractive() ? TerminalInput.open() : pipe(stdio)) {
      chat.start(system);
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        String text = line.strip();
        if (text.equals("/quit") || text.equals("/exit")) {
          return;
        } else if (text.equals("/help")) {
          input.out().print(HELP);
        } else if (text.equals("/new")) {
          chat.start(system);
        } else if (text.startsWith("/system ")) {
          system = text.substring("/system ".length()).strip();
          chat.start(system);
        } else if (text.startsWith("/")) {
          input.out().println("no such command; /help lists them");
        } else if (!text.isEmpty()) {
          answer(chat, text, input);
        }
        input.out().flush();
      }
    }
  }

  private void answer(Chat chat, String text, Input input) {
    Thread self = Thread.currentThread();
    input.onInterrupt(self::interrupt);
    try {
      var result = chat.say(text, o -> answer.apply(o, input.out()));
      String end =
          switch (result.reason()) {
            case END, STOP -> "";
            case LENGTH -> " [cut after %d tokens: --max-tokens]".formatted(answer.maxTokens());
            case CONTEXT -> " " + Generate.contextFull(chat.contextLimit());
            case CANCELLED -> " [stopped]";
          };
      input.out().println(end);
      if (stats) {
        input.out().println(figures(result));
      }
    } catch (IllegalArgumentException e) {
      input.out().println(e.getMessage());
    } catch (CancellationException e) { // before the answer began
      input.out().println(" [stopped]");
    } finally {
      input.onInterrupt(() -> {});
      Thread.interrupted(); // a Ctrl-C that came too late
    }
  }

  private static String figures(Generation g) {
    return String.format(
        Locale.ROOT,
        "[read %d tokens at %.1f tok/s, wrote %d at %.1f tok/s; seed %d]",
        g.promptTokens(),
        g.prefillRate(),
        g.ids().length,
        g.decodeRate(),
        g.seed());
  }

  /// Lines from a pipe or file.
  private Input pipe(Stdio stdio) {
    var in = new BufferedReader(new InputStreamReader(stdio.in(), StandardCharsets.UTF_8));
    var out = spec.commandLine().getOut();
    return new Input() {
      @Override
      public String readLine() {
        try {
          return in.readLine();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }

      @Override
      public PrintWriter out() {
        return out;
      }

      @Override
      public void onInterrupt(Runnable stop) {}

      @Override
      public void close() {
        out.flush();
      }
    };
  }
}
