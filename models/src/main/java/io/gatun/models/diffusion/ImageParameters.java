package io.gatun.models.diffusion;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/// What an image was made with, as the text that AUTOMATIC1111's web UI puts into PNG files under
/// the name `parameters`, and that many programs read (modules/infotext_utils.py there):
///
/// ```
/// a cat
/// Negative prompt: a dog
/// Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: sd15
/// ```
///
/// @param prompt what to draw; may have several lines
/// @param negativePrompt what not to draw; empty for nothing
/// @param settings names and values of the last line, in its order
public record ImageParameters(String prompt, String negativePrompt, Map<String, String> settings) {
  /// The text's name in a PNG file.
  public static final String KEYWORD = "parameters";

  private static final String NEGATIVE = "Negative prompt:";

  /// Below this a last line is taken for one of the prompt's.
  private static final int FEWEST_SETTINGS = 3;

  private static final int SHORTEST_NAME = 2;

  private static final ObjectMapper JSON = new ObjectMapper();

  public ImageParameters {
    settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
  }

  /// Reads such a text. Whatever is not a setting is taken for a prompt: any text can be read.
  public static ImageParameters parse(String text) {
    var lines = text.strip().lines().map(String::strip).toList();
    String last = lines.isEmpty() ? "" : lines.getLast();
    var settings = settings(last);
    boolean hasSettings = settings.size() >= FEWEST_SETTINGS;
    var prompts = hasSettings ? lines.subList(0, lines.size() - 1) : lines;
    int negative = 0;
    while (negative < prompts.size() && !prompts.get(negative).startsWith(NEGATIVE)) {
      negative++;
    }
    String after = String.join("\n", prompts.subList(negative, prompts.size()));
    return new ImageParameters(
        String.join("\n", prompts.subList(0, negative)),
        after.isEmpty() ? "" : after.substring(NEGATIVE.length()).strip(),
        hasSettings ? settings : Map.of());
  }

  /// `name: value` and `name: "value"` between commas, in one walk over the line; what fits neither
  /// is passed over.
  private static Map<String, String> settings(String line) {
    var settings = new LinkedHashMap<String, String>();
    int from = 0;
    for (int colon = line.indexOf(':'); colon >= 0; colon = line.indexOf(':', from)) {
      String name = nameBefore(line, from, colon);
      from = colon + 1;
      if (name.length() >= SHORTEST_NAME) {
        int end = endOfValue(line, from);
        settings.put(name, unquoted(line.substring(from, end).stripLeading()));
        from = Math.min(end + 1, line.length());
      }
    }
    return settings;
  }

  /// The longest name that ends at a colon.
  private static String nameBefore(String line, int from, int colon) {
    int start = colon;
    while (start > from && isOfName(line.charAt(start - 1))) {
      start--;
    }
    while (start < colon && !isWord(line.charAt(start))) {
      start++;
    }
    return line.substring(start, colon);
  }

  private static boolean isWord(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  private static boolean isOfName(char c) {
    return isWord(c) || c == ' ' || c == '-' || c == '/';
  }

  /// The comma behind a value, or the line's end. Commas within quotes do not count, if a comma or
  /// the end follows the quotes.
  private static int endOfValue(String line, int from) {
    int start = from;
    while (start < line.length() && Character.isWhitespace(line.charAt(start))) {
      start++;
    }
    if (start < line.length() && line.charAt(start) == '"') {
      int quote = start + 1;
      while (quote < line.length() && line.charAt(quote) != '"') {
        quote += line.charAt(quote) == '\\' ? 2 : 1;
      }
      int after = quote + 1;
      if (quote < line.length() && (after == line.length() || line.charAt(after) == ',')) {
        return after;
      }
    }
    int comma = line.indexOf(',', from);
    return comma < 0 ? line.length() : comma;
  }

  private static String unquoted(String value) {
    if (value.length() < 2 || !value.startsWith("\"") || !value.endsWith("\"")) {
      return value;
    }
    try {
      return JSON.readValue(value, String.class);
    } catch (JsonProcessingException e) {
      return value; // the user's own quotes
    }
  }

  /// The text. Read again it gives the same, unless a line of a prompt begins with `Negative
  /// prompt:` or is nothing but settings, or there are fewer than three settings.
  public String format() {
    String line =
        settings.entrySet().stream()
            .map(e -> e.getKey() + ": " + quoted(e.getValue()))
            .collect(Collectors.joining(", "));
    String negative = negativePrompt.isEmpty() ? "" : "\n" + NEGATIVE + " " + negativePrompt;
    return (prompt + negative + "\n" + line).strip();
  }

  /// In JSON's quotes where the value would not be read as it is.
  private static String quoted(String value) {
    boolean plain = value.chars().noneMatch(c -> c == ',' || c == ':' || c == '\n' || c == '"');
    try {
      return plain ? value : JSON.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // any string can be written
    }
  }
}
