package io.gatun.tools.evaluate;

import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.search.Document;
import io.gatun.search.Embedder;
import io.gatun.search.Index;
import io.gatun.search.SearchException;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.search.SearchingParts;
import io.gatun.tools.search.TemporaryFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/// What `gatun evaluate search` measures.
final class SearchingQuality {
  /// Characters of a paragraph that counts; headings and cries are shorter.
  private static final int SHORTEST = 200;

  private static final int SENTENCES = 3;
  private static final int WORDS = 6;

  /// A sentence, and the paragraph in which it stood.
  private record Question(String text, String source) {}

  private final EvaluateSearch asked;
  private final List<Document> documents = new ArrayList<>();
  private final List<Question> questions = new ArrayList<>();

  private SearchingQuality(EvaluateSearch asked) {
    this.asked = asked;
  }

  static int measure(EvaluateSearch asked) {
    var quality = new SearchingQuality(asked);
    quality.take();
    try (var model =
            asked.model == null
                ? null
                : TextEmbedder.load(
                    ModelNames.find(asked.spec, asked.model),
                    o -> o.threads(asked.threads.count()));
        var reranker =
            asked.reranker == null
                ? null
                : Reranker.load(
                    ModelNames.find(asked.spec, asked.reranker),
                    o -> o.threads(asked.threads.count()).truncate(true))) {
      var embedder =
          model == null ? new SearchingParts(512) : Embedder.of(model, asked.model.toString());
      try (var folder = TemporaryFolder.of("gatun-evaluate-search");
          var index = Index.open(folder.path(), embedder)) {
        index.add(quality.documents);
        quality.print(embedder.name(), quality.recalls(index, reranker));
      }
      return 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /// Takes all paragraphs, and sentences out of some of them.
  private void take() {
    var paragraphs = new ArrayList<String>();
    for (Path file : asked.files) {
      for (String paragraph : read(file).split("\\R\\s*\\R", -1)) {
        if (paragraph.strip().length() >= SHORTEST) {
          paragraphs.add(paragraph.strip());
        }
      }
    }
    var order = new ArrayList<Integer>();
    for (int i = 0; i < paragraphs.size(); i++) {
      order.add(i);
    }
    var random = new SplittableRandom(asked.seed);
    for (int i = order.size() - 1; i > 0; i--) {
      order.set(i, order.set(random.nextInt(i + 1), order.get(i)));
    }
    for (int i : order) {
      var sentences = sentences(paragraphs.get(i));
      if (questions.size() < asked.questions && sentences.size() >= SENTENCES) {
        String sentence = sentences.remove(1 + random.nextInt(sentences.size() - 2));
        if (sentence.split("\\s+", -1).length >= WORDS) {
          questions.add(new Question(sentence, Integer.toString(i)));
          paragraphs.set(i, String.join(" ", sentences));
        }
      }
    }
    for (int i = 0; i < paragraphs.size(); i++) {
      documents.add(new Document(Integer.toString(i), paragraphs.get(i)));
    }
    if (questions.isEmpty()) {
      throw new IllegalArgumentException(
          "%s: no paragraph has %,d characters in %d sentences, from which a question could be taken; need text with empty lines between its paragraphs"
              .formatted(asked.files, SHORTEST, SENTENCES));
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (MalformedInputException e) {
      throw new IllegalArgumentException(file + ": is not UTF-8 text", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> sentences(String text) {
    var all = new ArrayList<String>();
    var each = BreakIterator.getSentenceInstance(Locale.ROOT);
    each.setText(text);
    int from = each.first();
    for (int to = each.next(); to != BreakIterator.DONE; to = each.next()) {
      String sentence = text.substring(from, to).strip();
      if (!sentence.isEmpty()) {
        all.add(sentence);
      }
      from = to;
    }
    return all;
  }

  /// The share of questions whose paragraph is found, by the way to find it.
  private Map<String, Double> recalls(Index index, Reranker reranker) {
    var all = new LinkedHashMap<String, Double>();
    for (Mode mode : List.of(Mode.WORDS, Mode.VECTORS, Mode.HYBRID)) {
      all.put(mode.name().toLowerCase(Locale.ROOT), recall(index, mode, null));
    }
    if (reranker != null) {
      all.put("reranked", recall(index, Mode.HYBRID, reranker));
    }
    return all;
  }

  private double recall(Index index, Mode mode, Reranker reranker) {
    int found = 0;
    for (var question : questions) {
      var passages =
          index.search(
              question.text,
              o ->
                  o.mode(mode)
                      .count(asked.passages)
                      .candidates(asked.candidates)
                      .reranker(reranker));
      found += passages.stream().anyMatch(one -> one.source().equals(question.source)) ? 1 : 0;
    }
    return (double) found / questions.size();
  }

  private void print(String embedder, Map<String, Double> recalls) {
    var out = asked.spec.commandLine().getOut();
    if (asked.json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("embedder", embedder);
      map.put("paragraphs", documents.size());
      map.put("questions", questions.size());
      map.put("passages", asked.passages);
      map.put("recall", recalls);
      out.println(Json.of(map));
    } else {
      out.printf(
          "%,d paragraphs, %,d questions, vectors of %s%n",
          documents.size(), questions.size(), embedder);
      recalls.forEach(
          (way, recall) ->
              out.printf(
                  "%-8s  recall@%d %5.1f %% +- %.1f%n",
                  way, asked.passages, 100 * recall, 196 * deviation(recall)));
    }
    out.flush();
  }

  private double deviation(double share) {
    return Math.sqrt(share * (1 - share) / questions.size());
  }
}
