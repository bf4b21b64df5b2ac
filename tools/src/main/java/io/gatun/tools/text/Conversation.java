package io.gatun.tools.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Chat;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.text.ChatTemplate.Message;
import io.gatun.tools.console.Failures;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Texts;
import io.gatun.tools.options.Converters;
import io.gatun.tools.options.DraftOptions;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/// What is said in `gatun chat`, and the commands in between.
final class Conversation {
  private static final String HELP =
      """
      /new              forget everything and start anew
      /system TEXT      start anew with instructions for the assistant; without TEXT show them
      /regenerate       have the last message answered again
      /set NAME VALUE   change an option, such as temp, max-tokens or seed; without a name show all
      /save FILE        write the conversation to a JSON file
      /load FILE        go on with one from a file
      /quit, Ctrl-D     leave
      Ctrl-C            stop the answer
      \"""              begins and ends a message of several lines; so does \\ at a line's end
      """;

  private static final Pattern COMMAND = Pattern.compile("/([a-z?]+)(?:\\s+(.*))?");
  private static final String QUOTES = "\"\"\"";

  private final Llm llm;
  private final Chat chat;
  private final ChatCommand.Input input;
  private final AnswerOptions answer;
  private final DraftOptions.Guesses guesses;
  private final boolean stats;
  private final boolean json;
  private String system = "";

  Conversation(
      Llm llm,
      Chat chat,
      ChatCommand.Input input,
      AnswerOptions answer,
      DraftOptions.Guesses guesses,
      boolean stats,
      boolean json) {
    this.llm = llm;
    this.chat = chat;
    this.input = input;
    this.answer = answer;
    this.guesses = guesses;
    this.stats = stats;
    this.json = json;
  }

  /// Goes on until the user leaves.
  void run(String instructions) {
    start(instructions);
    for (String line = read(); line != null; line = read()) {
      Matcher command = COMMAND.matcher(line.strip());
      if (!line.startsWith("/") || !command.matches() || isPath(command.group(1))) {
        if (!line.isBlank()) {
          say(line.strip());
        }
      } else if (command.group(1).matches("quit|exit")) {
        return;
      } else {
        obey(command.group(1), command.group(2) == null ? "" : command.group(2).strip());
      }
      input.out().flush();
    }
  }

  /// "/usr is large" is something to say.
  private static boolean isPath(String word) {
    return !word.equals("?") && Files.exists(Path.of("/" + word));
  }

  /// A message, of several lines if its beginning says so.
  private String read() {
    String line = input.readLine("> ");
    if (line == null) {
      return null;
    }
    if (line.strip().startsWith(QUOTES)) {
      var text = new StringBuilder(line.strip().substring(QUOTES.length()));
      while (line != null && !text.toString().strip().endsWith(QUOTES)) {
        line = input.readLine("| ");
        text.append('\n').append(line == null ? QUOTES : line);
      }
      String all = text.toString().strip();
      // A space keeps a message that begins with / from being a command.
      return " " + all.substring(0, all.length() - QUOTES.length()).strip();
    }
    var text = new StringBuilder(line);
    while (text.toString().endsWith("\\")) {
      line = input.readLine("| ");
      text.setLength(text.length() - 1);
      text.append('\n').append(line == null ? "" : line);
    }
    return text.toString();
  }

  private void obey(String command, String rest) {
    try {
      switch (command) {
        case "help", "?" -> input.out().print(HELP);
        case "new" -> {
          start(system);
          tell("everything is forgotten");
        }
        case "system" -> {
          if (!rest.isEmpty()) {
            start(rest);
          }
          String now = system.isEmpty() ? "there are no instructions" : "instructions: " + system;
          tell(rest.isEmpty() ? now : "starting anew with these instructions");
        }
        case "regenerate" -> regenerate();
        case "set" -> set(rest);
        case "save" -> save(file(rest, "/save"));
        case "load" -> load(file(rest, "/load"));
        default ->
            tell(
                "there is no command /"
                    + command
                    + "; /help lists them, and a space before / makes a message");
      }
    } catch (IllegalArgumentException | ParameterException e) {
      tell(e.getMessage());
    } catch (UncheckedIOException e) {
      tell(Failures.file(e.getCause()));
    }
  }

  private static Path file(String name, String command) {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("name a file: " + command + " talk.json");
    }
    return Path.of(name);
  }

  private void tell(String text) {
    input.out().println("[" + text + "]");
  }

  private void start(String instructions) {
    system = instructions;
    chat.start(instructions);
  }

  private void regenerate() {
    var messages = new ArrayList<>(chat.messages());
    int last = messages.size() - 1;
    while (last >= 0 && !messages.get(last).role().equals("user")) {
      last--;
    }
    if (last < 0) {
      throw new IllegalArgumentException("nothing has been said yet");
    }
    chat.restore(messages.subList(0, last));
    say(messages.get(last).content());
  }

  private void set(String rest) {
    var options = new CommandLine(answer);
    Converters.register(options);
    String[] words = rest.split("\\s+", 2);
    if (rest.isEmpty()) {
      for (var option : options.getCommandSpec().options()) {
        Object value = option.getValue();
        input
            .out()
            .printf("%-15s %s%n", option.longestName().substring(2), value == null ? "" : value);
      }
      return;
    }
    var option = options.getCommandSpec().findOption("--" + words[0]);
    if (option == null) {
      throw new IllegalArgumentException("there is no option " + words[0] + "; /set lists them");
    }
    Object before = option.getValue();
    try {
      options.parseArgs("--" + words[0] + "=" + (words.length > 1 ? words[1] : "true"));
      answer.check();
    } catch (RuntimeException e) {
      option.setValue(before);
      throw e;
    }
    tell(words[0] + " is " + option.getValue());
  }

  private void save(Path file) {
    var list =
        chat.messages().stream()
            .map(m -> Map.of("role", m.role(), "content", m.content()))
            .toList();
    Texts.write(file, Json.of(list) + "\n");
    tell(list.size() + " messages are in " + file);
  }

  private void load(Path file) {
    var messages = new ArrayList<Message>();
    try {
      for (JsonNode m : new ObjectMapper().readTree(Texts.read(file))) {
        if (!m.path("role").isTextual() || !m.path("content").isTextual()) {
          throw new IllegalArgumentException(file + ": is no conversation that /save wrote");
        }
        messages.add(new Message(m.get("role").asText(), m.get("content").asText()));
      }
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(file + ": is no conversation that /save wrote", e);
    }
    chat.restore(messages);
    boolean instructed = !messages.isEmpty() && messages.getFirst().role().equals("system");
    system = instructed ? messages.getFirst().content() : "";
    tell(messages.size() + " messages are read; go on where they end");
  }

  private void say(String text) {
    Thread self = Thread.currentThread();
    PrintWriter out = input.out();
    int before = chat.messages().size();
    input.onInterrupt(self::interrupt);
    try {
      var sink = json ? new PrintWriter(Writer.nullWriter()) : out;
      var result =
          chat.say(
              text,
              o -> {
                answer.apply(o, sink);
                guesses.apply(o);
              });
      if (json) {
        out.println(Json.line(Generate.asMap(result)));
      } else {
        out.println(end(result));
        // While it is interrupted this thread cannot look at the messages.
        boolean whole = result.reason() != Generation.Reason.CANCELLED;
        int forgotten = whole ? before + 2 - chat.messages().size() : 0;
        if (forgotten > 0) {
          tell(
              "the context is full: the oldest %d messages are forgotten; %s"
                  .formatted(forgotten, more()));
        }
      }
      if (stats) {
        out.println(figures(result));
      }
    } catch (IllegalArgumentException e) {
      tell(e.getMessage());
    } catch (CancellationException e) { // before the answer began
      tell("stopped");
    } finally {
      input.onInterrupt(() -> {});
      Thread.interrupted(); // a Ctrl-C that came too late
    }
  }

  private String end(Generation result) {
    return switch (result.reason()) {
      case END, STOP -> "";
      case LENGTH -> " [cut after %d tokens: /set max-tokens N]".formatted(answer.maxTokens());
      case CONTEXT -> " [the context is full; /new starts anew, " + more() + "]";
      case CANCELLED -> " [stopped]";
    };
  }

  private String more() {
    int most = llm.model().config().maxPositionEmbeddings();
    return llm.contextLimit() < most
        ? "gatun chat --context %d holds more".formatted(most)
        : "%d tokens are all that the model was made for".formatted(most);
  }

  private static String figures(Generation g) {
    return String.format(
        Locale.ROOT,
        "[read %d tokens at %.1f tok/s, wrote %d at %.1f tok/s%s; seed %d]",
        g.promptTokens(),
        g.prefillRate(),
        g.ids().length,
        g.decodeRate(),
        Generate.guesses(g),
        g.seed());
  }
}
