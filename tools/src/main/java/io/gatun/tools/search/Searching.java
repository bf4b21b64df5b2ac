package io.gatun.tools.search;

import io.gatun.models.Generation;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.search.Embedder;
import io.gatun.search.Grounds;
import io.gatun.search.Index;
import io.gatun.search.IndexReport;
import io.gatun.search.Passage;
import io.gatun.search.SearchException;
import io.gatun.search.SearchOptions;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.text.Generate;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/// What commands that search have of the search's module.
final class Searching {
  private static final int PARTLY = 2;

  /// Tokens that chat templates put around a message, by and large.
  private static final int TEMPLATE = 64;

  private Searching() {}

  /// An embedder that is there as long as the command.
  private record Opened(TextEmbedder model, Embedder embedder) implements AutoCloseable {
    static final Opened NONE = new Opened(null, null);

    /// @param asked null for the one that the index was made with
    /// @param name as the index knows it; empty for none
    static Opened of(CommandSpec spec, Path asked, String name, int threads) {
      if (asked == null && name.isEmpty()) {
        return NONE;
      }
      Path path = asked == null ? Path.of(name) : asked;
      var model = TextEmbedder.load(ModelNames.find(spec, path), o -> o.threads(threads));
      return new Opened(model, Embedder.of(model, ModelNames.lasting(path)));
    }

    @Override
    public void close() {
      if (model != null) {
        model.close();
      }
    }
  }

  static int index(IndexCommand asked) {
    try {
      Path folder = asked.index == null ? beside(asked) : asked.index;
      var progress = new IndexProgress(asked.spec);
      String known = Index.exists(folder) ? Index.embedderOf(folder) : "";
      try (var opened = Opened.of(asked.spec, asked.model, known, asked.threads.count());
          var index =
              Index.open(
                  folder,
                  opened.embedder,
                  o -> {
                    if (asked.chunkTokens != null) {
                      o.chunkTokens(asked.chunkTokens);
                    }
                    if (asked.overlapTokens != null) {
                      o.overlapTokens(asked.overlapTokens);
                    }
                    o.maxCharacters(asked.maxCharacters).progress(progress::show);
                  })) {
        var report = index.update(asked.paths.toArray(Path[]::new));
        progress.end();
        report(asked, folder, index, report);
        return report.failures().isEmpty() ? 0 : PARTLY;
      }
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private static Path beside(IndexCommand asked) {
    for (Path path : asked.paths) {
      if (Files.isDirectory(path)) {
        return path.resolve(Index.FOLDER);
      }
    }
    throw new ParameterException(
        asked.spec.commandLine(), "Only files are given; say with --index DIR where the index is");
  }

  private static void report(IndexCommand asked, Path folder, Index index, IndexReport report) {
    var command = asked.spec.commandLine();
    for (String failure : report.failures()) {
      command.getErr().println("gatun index: not indexed: " + failure);
    }
    if (asked.json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("index", folder.toString());
      map.put("documents", index.size());
      map.put("passages", index.chunks());
      map.putAll(IndexProgress.fields(report));
      command.getOut().println(Json.of(map));
    } else {
      command
          .getOut()
          .printf(
              "%s: %,d documents, %,d passages%n  %,d new or changed, %,d unchanged, %,d"
                  + " removed%s%s%n",
              folder,
              index.size(),
              index.chunks(),
              report.added(),
              report.unchanged(),
              report.removed(),
              report.ignored() == 0 ? "" : ", %,d files of other kinds".formatted(report.ignored()),
              report.failures().isEmpty()
                  ? ""
                  : ", %,d that cannot be read".formatted(report.failures().size()));
    }
    command.getOut().flush();
  }

  static int ask(Ask asked) {
    try {
      Path folder = Index.find(asked.index);
      if (asked.cache == null) {
        return ask(asked, folder, null);
      }
      try (var opened =
              asked.wrongHits == 0
                  ? Opened.NONE
                  : Opened.of(
                      asked.spec, asked.embedder, Index.embedderOf(folder), asked.model.threads());
          var cache = SearchingCache.open(asked, folder, opened.embedder)) {
        var known = cache.answer();
        if (known == null) {
          return ask(asked, folder, cache);
        }
        if (asked.json) {
          print(asked, known);
        } else {
          var out = asked.spec.commandLine().getOut();
          out.println(known.get("text"));
          out.println();
          ((List<?>) known.get("sources")).forEach(one -> listPlace(out, (Map<?, ?>) one));
          out.flush();
        }
        return 0;
      }
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /// @param cache takes the answer; null for none
  private static int ask(Ask asked, Path folder, SearchingCache cache) {
    List<Passage> passages;
    // What finds the passages is gone before the language model comes.
    try (var opened =
            asked.mode == Ask.SearchMode.WORDS
                ? Opened.NONE
                : Opened.of(
                    asked.spec, asked.embedder, Index.embedderOf(folder), asked.model.threads());
        var index = Index.open(folder, opened.embedder);
        var reranker = reranker(asked)) {
      passages =
          index.search(
              asked.question,
              o -> {
                o.count(asked.passages).candidates(asked.candidates);
                o.reranker(reranker);
                if (asked.mode != null) {
                  o.mode(SearchOptions.Mode.valueOf(asked.mode.name()));
                }
              });
    }
    return passages.isEmpty() ? nothing(asked, folder) : answer(asked, passages, cache);
  }

  private static Reranker reranker(Ask asked) {
    return asked.reranker == null
        ? null
        : Reranker.load(
            ModelNames.find(asked.spec, asked.reranker),
            o -> o.threads(asked.model.threads()).truncate(true));
  }

  private static int nothing(Ask asked, Path folder) {
    if (asked.json) {
      print(asked, Map.of("sources", List.of()));
    } else {
      asked.spec.commandLine().getErr().println(folder + ": nothing in it has these words");
    }
    return 0;
  }

  private static int answer(Ask asked, List<Passage> passages, SearchingCache cache) {
    var out = asked.spec.commandLine().getOut();
    if (asked.sourcesOnly) {
      if (asked.json) {
        print(asked, Map.of("sources", maps(passages)));
      } else {
        list(out, passages);
      }
      return 0;
    }
    try (var llm = asked.model.load()) {
      int reserved = Math.min(asked.answer.maxTokens(), llm.contextLimit() / 4);
      var grounds =
          Grounds.of(
              asked.question,
              passages,
              llm.contextLimit() - reserved - TEMPLATE,
              text -> llm.tokenizer().encode(text, false, false).length);
      if (grounds.passages().size() < passages.size()) {
        asked
            .spec
            .commandLine()
            .getErr()
            .printf(
                "gatun: warning: of %d passages the context of %d tokens has room for %d, beside"
                    + " the answer%n",
                passages.size(), llm.contextLimit(), grounds.passages().size());
      }
      var interrupts = Interrupts.of(asked.spec);
      interrupts.stopBy(Thread.currentThread()::interrupt);
      var shown = asked.json ? new PrintWriter(Writer.nullWriter()) : out;
      Generation answer;
      try (var chat = llm.newChat()) {
        answer = chat.say(grounds.prompt(), o -> asked.answer.apply(o, shown));
      }
      var sources = maps(grounds.passages());
      if (cache != null && answer.reason() != Generation.Reason.CANCELLED) {
        cache.put(answer.text(), sources);
      }
      if (asked.json) {
        var map = new LinkedHashMap<>(Generate.asMap(answer));
        map.put("sources", sources);
        print(asked, map);
      } else {
        out.println();
        out.println();
        sources.forEach(one -> listPlace(out, one));
        out.flush();
      }
      return answer.reason() == Generation.Reason.CANCELLED ? interrupts.code() : 0;
    }
  }

  private static void print(Ask asked, Map<String, Object> map) {
    var out = asked.spec.commandLine().getOut();
    out.println(Json.of(map));
    out.flush();
  }

  private static void list(PrintWriter out, List<Passage> passages) {
    maps(passages)
        .forEach(
            one -> {
              listPlace(out, one);
              out.println(String.valueOf(one.get("text")).indent(4).stripTrailing());
            });
    out.flush();
  }

  private static void listPlace(PrintWriter out, Map<?, ?> source) {
    out.printf("[%s] %s%n", source.get("number"), source.get("place"));
  }

  private static List<Map<String, Object>> maps(List<Passage> passages) {
    var all = new ArrayList<Map<String, Object>>();
    for (var passage : passages) {
      var map = new LinkedHashMap<String, Object>();
      map.put("number", all.size() + 1);
      map.putAll(passage.fields());
      all.add(map);
    }
    return all;
  }
}
