package io.gatun.models.clip;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Prompts in which words have weights, in the grammar of AUTOMATIC1111's web UI
/// (modules/prompt_parser.py, parse_prompt_attention):
///
/// * `(word)` weighs 1.1 times as much, `[word]` 1.1 times less, nested ones multiply;
/// * `(word:1.3)` weighs 1.3;
/// * `\(`, `\)`, `\[`, `\]` and `\\` are characters of the text; any other backslash vanishes;
/// * `BREAK` between words begins a new chunk of tokens;
/// * brackets that are not closed hold to the end.
public final class PromptWeights {
  /// A part of the prompt; a break if `text` is null.
  public record Part(String text, double weight) {
    public static final Part BREAK = new Part(null, 1);
  }

  private static final double STEP = 1.1;

  private static final Pattern TOKEN =
      Pattern.compile(
          "\\\\[()\\[\\]\\\\]|\\\\|[(\\[]|:\\s*([+-]?(?:\\d+\\.?\\d*|\\.\\d+))\\s*\\)|[)\\]]"
              + "|[^\\\\()\\[\\]:]+|:");

  private static final Pattern BREAK = Pattern.compile("\\s*\\bBREAK\\b\\s*");

  private final List<Part> parts = new ArrayList<>();

  /// Where brackets that are still open began, in parts.
  private final Deque<Integer> round = new ArrayDeque<>();

  private final Deque<Integer> square = new ArrayDeque<>();

  private PromptWeights() {}

  /// The parts of a prompt, neighbours of one weight joined.
  public static List<Part> parse(String prompt) {
    var parser = new PromptWeights();
    Matcher token = TOKEN.matcher(prompt);
    while (token.find()) {
      parser.take(token.group(), token.group(1));
    }
    while (!parser.round.isEmpty()) {
      parser.multiplyFrom(parser.round.pop(), STEP);
    }
    while (!parser.square.isEmpty()) {
      parser.multiplyFrom(parser.square.pop(), 1 / STEP);
    }
    return joined(parser.parts);
  }

  private void take(String token, String weight) {
    if (token.startsWith("\\")) {
      parts.add(new Part(token.substring(1), 1));
    } else if (token.equals("(")) {
      round.push(parts.size());
    } else if (token.equals("[")) {
      square.push(parts.size());
    } else if (weight != null && !round.isEmpty()) {
      multiplyFrom(round.pop(), Double.parseDouble(weight));
    } else if (token.equals(")") && !round.isEmpty()) {
      multiplyFrom(round.pop(), STEP);
    } else if (token.equals("]") && !square.isEmpty()) {
      multiplyFrom(square.pop(), 1 / STEP);
    } else {
      String[] texts = BREAK.split(token, -1);
      for (int i = 0; i < texts.length; i++) {
        if (i > 0) {
          parts.add(Part.BREAK);
        }
        parts.add(new Part(texts[i], 1));
      }
    }
  }

  private void multiplyFrom(int first, double factor) {
    for (int i = first; i < parts.size(); i++) {
      Part part = parts.get(i);
      if (part.text() != null) {
        parts.set(i, new Part(part.text(), part.weight() * factor));
      }
    }
  }

  private static List<Part> joined(List<Part> parts) {
    var out = new ArrayList<Part>();
    for (Part part : parts) {
      Part last = out.isEmpty() ? Part.BREAK : out.getLast();
      if (part.text() != null && part.text().isEmpty()) {
        continue;
      }
      if (part.text() != null && last.text() != null && last.weight() == part.weight()) {
        out.set(out.size() - 1, new Part(last.text() + part.text(), part.weight()));
      } else {
        out.add(part);
      }
    }
    return out;
  }
}
