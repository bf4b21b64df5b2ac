package io.gatun.loaders.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/// Models by their names on the Hugging Face hub, in the cache that Hugging Face's own library and
/// llama.cpp keep too: what one of them has fetched, the others find.
///
/// ```java
/// Path file = Hub.pull("Qwen/Qwen3-0.6B-GGUF:Q8_0");
/// ```
///
/// A name is `ORG/MODEL`, with `@REVISION` for a branch, a tag or a commit other than main, and
/// with `:Q4_K_M` for a quantization, `:FILE` for a file, or `:fp16` for a variant of a pipeline.
/// Only what a model needs is fetched: its weights in one form, safetensors before others, its
/// configuration and its tokenizer. Of several quantizations `Q4_K_M` is taken if none is named.
///
/// A file takes its name when all of it is there and its hash is right; a download that was ended,
/// however it was, goes on from where it was. Any number of threads and processes may pull the
/// same.
public final class Hub {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long MAX_JSON = 64 << 20;
  private static final String TOKENIZER = "tokenizer.json";

  private final HubName name;
  private final HubOptions options;
  private final HubCache cache;

  private Hub(HubName name, HubOptions options) {
    this.name = name;
    this.options = options;
    cache = new HubCache(options.cache(), options.links);
  }

  /// Fetches a model, with the default options.
  ///
  /// @throws CheckpointException if it cannot be had
  public static Path pull(String name) {
    return pull(name, o -> {});
  }

  /// Fetches what is missing of a model's latest form, or makes sure that nothing is.
  ///
  /// @return the file or the folder to open
  /// @throws CheckpointException if it cannot be had; the message says what to do
  /// @throws CancellationException if the thread is interrupted
  public static Path pull(String name, Consumer<HubOptions> choose) {
    return of(name, choose).pull();
  }

  /// The model as it is in the cache, if all of it is there; else it is fetched.
  ///
  /// @return the file or the folder to open
  /// @throws CheckpointException if it cannot be had; the message says what to do
  /// @throws CancellationException if the thread is interrupted
  public static Path open(String name, Consumer<HubOptions> choose) {
    var hub = of(name, choose);
    return hub.find().orElseGet(hub::pull);
  }

  /// The model as it is in the cache, if all of it is there; no network is used.
  ///
  /// @return the file or the folder to open
  /// @throws CheckpointException if the name cannot be one, or means several of the files there
  public static Optional<Path> find(String name, Consumer<HubOptions> choose) {
    return of(name, choose).find();
  }

  /// The models in the cache, by name, whichever program fetched them.
  public static List<CachedModel> list(Consumer<HubOptions> choose) {
    return new CacheContents(chosen(choose)).models();
  }

  /// Removes a model from the cache: all of a repository, or of a revision or a selector what no
  /// other revision has.
  ///
  /// @return the bytes that are free now
  /// @throws CheckpointException if it is not there, or cannot be removed
  public static long remove(String name, Consumer<HubOptions> choose) {
    var options = chosen(choose);
    try {
      return new CacheContents(options).remove(HubName.parse(name));
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: cannot be removed from %s: %s".formatted(name, options.cache(), Tries.reason(e)), e);
    }
  }

  static Optional<Path> find(HubName name, HubOptions options) {
    return new Hub(name, options).find();
  }

  /// The model that a file or a folder of a cache belongs to: `ORG/MODEL`; empty for others.
  public static Optional<String> nameOf(Path path) {
    for (Path p = path.toAbsolutePath().normalize(); p.getParent() != null; p = p.getParent()) {
      if (p.getParent().endsWith("snapshots")) {
        return HubCache.repository(p.getParent().getParent());
      }
    }
    return Optional.empty();
  }

  private static Hub of(String name, Consumer<HubOptions> choose) {
    return new Hub(HubName.parse(Objects.requireNonNull(name, "the name is null")), chosen(choose));
  }

  private static HubOptions chosen(Consumer<HubOptions> choose) {
    var options = new HubOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    return options;
  }

  private Optional<Path> find() {
    return cache.commit(name).flatMap(this::find);
  }

  private Optional<Path> find(String commit) {
    var files = cache.files(name.repository(), commit);
    try {
      var choice = files.isEmpty() ? null : FileChoice.of(name, new Local(commit, files));
      boolean isWhole =
          choice != null
              && files.keySet().containsAll(choice.weights())
              && (!choice.isFolderOfTransformers()
                  || choice.hasTokenizer()
                  || options.offline
                  || cache.isKnownMissing(name.repository(), commit, TOKENIZER));
      return isWhole ? Optional.of(path(commit, choice)) : Optional.empty();
    } catch (CheckpointException e) {
      return Optional.empty(); // the whole list says what is wrong
    }
  }

  private Path path(String commit, FileChoice choice) {
    Path snapshot = cache.snapshot(name.repository(), commit);
    return choice.open().isEmpty() ? snapshot : snapshot.resolve(choice.open());
  }

  private Path pull() {
    if (options.offline) {
      return find()
          .orElseThrow(
              () ->
                  new CheckpointException(
                      "%s: is not whole in %s, and HF_HUB_OFFLINE is set, so nothing is fetched; unset it, or see what is there with: gatun list"
                          .formatted(name, options.cache())));
    }
    try (var client = new HubClient(options)) {
      String commit = client.commit(name);
      var listed = new LinkedHashMap<String, RepoFile>();
      client.files(name, commit).forEach(file -> listed.put(file.path(), file));
      return new Pull(client, commit, listed).run();
    } catch (UncheckedIOException e) {
      throw failed(e.getCause());
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private RuntimeException failed(IOException e) {
    if (Thread.currentThread().isInterrupted()) {
      return (CancellationException) new CancellationException("interrupted").initCause(e);
    }
    return new CheckpointException(
        "%s: cannot be put into %s: %s; HF_HUB_CACHE names another folder"
            .formatted(name, options.cache(), Tries.reason(e)),
        e);
  }

  private static JsonNode json(Path file, HubName name, String path) {
    try {
      if (Files.size(file) > MAX_JSON) {
        throw new CheckpointException(
            "%s: %s is larger than %d bytes, too much for JSON"
                .formatted(name.repository(), path, MAX_JSON));
      }
      return JSON.readTree(file.toFile());
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          "%s: %s is not the JSON it should be: %s"
              .formatted(name.repository(), path, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  /// What the cache has of a commit.
  private final class Local implements FileChoice.Source {
    private final String commit;
    private final SequencedMap<String, Long> files;

    Local(String commit, SequencedMap<String, Long> files) {
      this.commit = commit;
      this.files = files;
    }

    @Override
    public SequencedMap<String, Long> files() {
      return files;
    }

    @Override
    public JsonNode read(String path) {
      return json(cache.snapshot(name.repository(), commit).resolve(path), name, path);
    }

    @Override
    public CheckpointException missing(String path, String namedBy) {
      return new CheckpointException(path + " is not here yet");
    }
  }

  /// One fetching of one commit.
  private final class Pull implements FileChoice.Source {
    private final HubClient client;
    private final String commit;
    private final Map<String, RepoFile> listed;
    private final SequencedMap<String, Long> sizes = new LinkedHashMap<>();

    Pull(HubClient client, String commit, Map<String, RepoFile> listed) {
      this.client = client;
      this.commit = commit;
      this.listed = listed;
      listed.keySet().stream().sorted().forEach(p -> sizes.put(p, listed.get(p).size()));
    }

    Path run() throws IOException {
      cache.open(name.repository());
      var choice = FileChoice.of(name, this);
      var all = new ArrayList<RepoFile>();
      choice.small().forEach(path -> all.add(file(path)));
      choice.weights().forEach(path -> all.add(file(path)));
      begin(all);
      // Weights come last: where they are, the rest is.
      fetch(choice.small());
      fetch(choice.weights());
      if (!choice.hasTokenizer() && !listed.containsKey(TOKENIZER)) {
        cache.rememberMissing(name.repository(), commit, TOKENIZER);
      }
      cache.refer(name, commit);
      return path(commit, choice);
    }

    private RepoFile file(String path) {
      var file = listed.get(path);
      if (file == null) {
        throw missing(path, "its own list");
      }
      HubPaths.check(path, "a file of " + name.repository());
      return file;
    }

    private void begin(List<RepoFile> all) throws IOException {
      long bytes = 0;
      long there = 0;
      for (var file : all) {
        bytes += file.size();
        Path blob = cache.blob(name.repository(), file.etag());
        there +=
            cache.has(name.repository(), commit, file) || HubCache.isWhole(blob, file)
                ? file.size()
                : Math.min(
                    file.size(), HubCache.sizeOf(blob.resolveSibling(file.etag() + ".incomplete")));
      }
      cache.requireSpace(name, bytes - there);
      options.progress.begin(name.toString(), all.size(), bytes, there);
    }

    private void fetch(Collection<String> paths) throws IOException {
      try (var executor =
          Executors.newFixedThreadPool(
              options.parallel, Thread.ofPlatform().daemon().name("gatun-pull-", 0).factory())) {
        var running = new ExecutorCompletionService<Void>(executor);
        paths.forEach(
            path ->
                running.submit(
                    () -> {
                      fetch(file(path));
                      return null;
                    }));
        try {
          for (int i = 0; i < paths.size(); i++) {
            running.take().get();
          }
        } catch (InterruptedException e) {
          executor.shutdownNow();
          throw HubClient.interrupted(e);
        } catch (ExecutionException e) {
          executor.shutdownNow();
          switch (e.getCause()) {
            case IOException io -> throw io;
            case RuntimeException r -> throw r;
            default -> throw new AssertionError(e.getCause());
          }
        }
      }
    }

    private void fetch(RepoFile file) throws IOException {
      String repository = name.repository();
      if (cache.has(repository, commit, file)) {
        return;
      }
      Path blob = cache.blob(repository, file.etag());
      try (var _ = cache.lock(repository, file.etag())) {
        boolean isNew = !HubCache.isWhole(blob, file);
        if (isNew && !cache.has(repository, commit, file)) {
          try (var download = new Download(client, options, name, file, blob)) {
            download.run(client.address(name, commit, file), blob);
          }
        }
        cache.link(repository, commit, file, isNew);
      }
    }

    @Override
    public SequencedMap<String, Long> files() {
      return sizes;
    }

    @Override
    public JsonNode read(String path) {
      try {
        var file = file(path);
        if (file.size() > MAX_JSON) {
          throw new CheckpointException(
              "%s: %s is larger than %d bytes, too much for JSON"
                  .formatted(name.repository(), path, MAX_JSON));
        }
        fetch(file);
        return json(cache.snapshot(name.repository(), commit).resolve(path), name, path);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public CheckpointException missing(String path, String namedBy) {
      return new CheckpointException(
          "%s: %s names %s, which is not there: the repository is not whole"
              .formatted(name.repository(), namedBy, path));
    }
  }
}
