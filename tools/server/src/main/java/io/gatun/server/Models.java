package io.gatun.server;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.NamedModels;
import io.gatun.models.Reranker;
import io.gatun.models.StableDiffusion;
import io.gatun.models.TextEmbedder;
import io.gatun.models.sam.Sam;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpStatus;

/// The models that are served, by name. One is loaded when it is asked for; when memory is short,
/// the one that has not been used for longest goes, unless it is at work.
final class Models implements AutoCloseable {
  private static final Pattern ENDING = Pattern.compile("\\.(gguf|safetensors|pth|pt|bin)$");
  private static final Pattern FILE = Pattern.compile(".*\\.(gguf|safetensors|pth)");

  /// One that may be asked for.
  ///
  /// @param bytes of its files
  record Entry(String name, Path path, Use use, long bytes, Instant changed) {}

  /// One that is loaded. Its bytes are those of its files and of what it keeps of texts.
  private static final class Loaded {
    final Entry entry;
    final AutoCloseable model;
    final long bytes;
    int users;
    boolean leaving;
    long lastUse = System.nanoTime();

    Loaded(Entry entry, AutoCloseable model, long bytes) {
      this.entry = entry;
      this.model = model;
      this.bytes = bytes;
    }
  }

  /// A model that stays loaded until this is closed.
  final class Lease<M extends AutoCloseable> implements AutoCloseable {
    private final Loaded loaded;
    private final M model;

    private Lease(Loaded loaded, M model) {
      this.loaded = loaded;
      this.model = model;
    }

    M model() {
      return model;
    }

    String name() {
      return loaded.entry.name();
    }

    Entry entry() {
      return loaded.entry;
    }

    /// Has the model unloaded once nobody uses it, unless somebody asks for it before.
    void leave() {
      synchronized (inMemory) {
        loaded.leaving = true;
      }
    }

    @Override
    public void close() {
      boolean goes;
      synchronized (inMemory) {
        loaded.users--;
        loaded.lastUse = System.nanoTime();
        goes = loaded.leaving && loaded.users == 0 && inMemory.remove(loaded.entry.name(), loaded);
      }
      if (goes) {
        unload(loaded);
      }
    }
  }

  private final ServerOptions options;
  private final SequencedMap<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, Loaded> inMemory = new LinkedHashMap<>();
  private final ReentrantLock loading = new ReentrantLock(true);
  private boolean closed;

  /// @throws CheckpointException if a model cannot be read, or there is none
  Models(ServerOptions options) {
    this.options = options;
    options.models.forEach((name, path) -> add(name, NamedModels.find(path)));
    if (options.folder != null) {
      for (Path path : inFolder(options.folder)) {
        try {
          if (!entries.containsKey(name(path))) {
            add(name(path), path);
          }
        } catch (CheckpointException e) {
          options.notices.accept("left out: " + e.getMessage());
        }
      }
    }
    if (entries.isEmpty()) {
      throw new CheckpointException(
          options.folder == null
              ? "there is no model to serve: name one with --model, or a folder of them with"
                  + " --models"
              : options.folder + ": there is no model in this folder that Gatun can read");
    }
  }

  /// What a path's model is called.
  static String name(Path path) {
    if (Files.isDirectory(path) && Hub.nameOf(path).isPresent()) {
      return Hub.nameOf(path).get();
    }
    String file = path.toAbsolutePath().normalize().getFileName().toString();
    return ENDING.matcher(file).replaceFirst("");
  }

  private void add(String name, Path path) {
    try {
      var changed = Files.getLastModifiedTime(path).toInstant();
      entries.put(name, new Entry(name, path, Use.of(path), bytes(path), changed));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> inFolder(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(
              file ->
                  Files.isDirectory(file)
                      ? Files.exists(file.resolve("config.json"))
                          || Files.exists(file.resolve("model_index.json"))
                      : FILE.matcher(file.getFileName().toString()).matches())
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new CheckpointException(folder + ": cannot be listed: " + e.getMessage(), e);
    }
  }

  private static long bytes(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return Files.size(path);
    }
    try (Stream<Path> files = Files.walk(path)) {
      long sum = 0;
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        sum += Files.size(file);
      }
      return sum;
    }
  }

  /// All that may be asked for.
  List<Entry> list() {
    return List.copyOf(entries.values());
  }

  /// What is loaded, the least recently used first.
  List<Entry> loaded() {
    synchronized (inMemory) {
      return inMemory.values().stream()
          .sorted(Comparator.comparingLong(one -> one.lastUse))
          .map(one -> one.entry)
          .toList();
    }
  }

  /// The loaded language models, to look at.
  Map<String, TextModel> textModels() {
    return loaded(TextModel.class);
  }

  /// The loaded models of a kind, to look at.
  <M> Map<String, M> loaded(Class<M> type) {
    synchronized (inMemory) {
      var found = new LinkedHashMap<String, M>();
      inMemory.forEach(
          (name, one) -> {
            if (type.isInstance(one.model)) {
              found.put(name, type.cast(one.model));
            }
          });
      return found;
    }
  }

  /// The model of a name.
  ///
  /// @param name null for the first of this use
  /// @throws ApiException if there is none
  Entry find(String name, Use use) {
    if (name == null || name.isEmpty()) {
      return entries.values().stream()
          .filter(entry -> entry.use() == use)
          .findFirst()
          .orElseThrow(() -> notFound("there is no model for " + use.word()));
    }
    var entry = entries.get(name);
    if (entry == null && name.endsWith(":latest")) { // as Ollama's clients say
      entry = entries.get(name.substring(0, name.lastIndexOf(':')));
    }
    if (entry == null) {
      throw notFound("there is no model \"%s\"".formatted(name));
    }
    return entry;
  }

  private ApiException notFound(String what) {
    return ApiException.of(
        HttpStatus.NOT_FOUND_404,
        "model_not_found",
        "model",
        what + "; this server has " + String.join(", ", entries.keySet()));
  }

  /// The model of a name, which is loaded if it is not yet.
  ///
  /// @param name null for the first of this use
  /// @throws ApiException if there is none, it is of another kind, or there is no room for it
  /// @throws CheckpointException if it cannot be loaded
  <M extends AutoCloseable> Lease<M> lease(String name, Use use, Class<M> type) {
    var entry = find(name, use);
    if (entry.use() != use) {
      throw ApiException.invalid(
          "model",
          "the model \"%s\" is for %s, not for %s"
              .formatted(entry.name(), entry.use().word(), use.word()));
    }
    var found = take(entry);
    if (found == null) {
      loading.lock();
      try {
        found = take(entry);
        if (found == null) {
          found = load(entry);
        }
      } finally {
        loading.unlock();
      }
    }
    return new Lease<>(found, type.cast(found.model));
  }

  private Loaded take(Entry entry) {
    synchronized (inMemory) {
      if (closed) {
        throw ApiException.of(
            HttpStatus.SERVICE_UNAVAILABLE_503, "closing", "the server is closing");
      }
      var found = inMemory.get(entry.name());
      if (found != null) {
        // Engines count those who wait for themselves.
        if (entry.use() != Use.CHAT && found.users >= options.queue + options.parallel) {
          throw ApiException.of(
              HttpStatus.TOO_MANY_REQUESTS_429,
              "queue_full",
              "%d requests are before this one: try again later".formatted(found.users));
        }
        found.users++;
        found.leaving = false;
        found.lastUse = System.nanoTime();
      }
      return found;
    }
  }

  private Loaded load(Entry entry) {
    long bytes = entry.bytes() + (entry.use() == Use.CHAT ? options.kvMemory : 0);
    makeRoom(entry, bytes);
    long began = System.nanoTime();
    var loaded = new Loaded(entry, open(entry), bytes);
    options.notices.accept(
        "loaded %s in %.1f s".formatted(entry.name(), (System.nanoTime() - began) / 1e9));
    synchronized (inMemory) {
      loaded.users = 1;
      inMemory.put(entry.name(), loaded);
    }
    return loaded;
  }

  private AutoCloseable open(Entry entry) {
    var path = entry.path();
    int threads = options.threads;
    return switch (entry.use()) {
      case CHAT -> TextModel.open(Llm.load(path, this::choose), options);
      case EMBEDDINGS -> TextEmbedder.load(path, o -> o.threads(threads));
      case RERANK -> Reranker.load(path, o -> o.threads(threads));
      case SEGMENTATION -> new SegmentationModel(Sam.load(path, o -> o.threads(threads)));
      case IMAGES -> StableDiffusion.load(path, o -> o.threads(threads).notices(options.notices));
    };
  }

  private void choose(LlmOptions o) {
    o.threads(options.threads).pack(options.pack).kv(options.kv).notices(options.notices);
    if (options.context > 0) {
      o.context(options.context);
    }
  }

  private void makeRoom(Entry entry, long bytes) {
    var gone = new ArrayList<Loaded>();
    synchronized (inMemory) {
      long used = inMemory.values().stream().mapToLong(one -> one.bytes).sum();
      var idle =
          inMemory.values().stream()
              .filter(one -> one.users == 0)
              .sorted(Comparator.comparingLong(one -> one.lastUse))
              .toList();
      for (var one : idle) {
        if (used + bytes > options.memory) {
          used -= one.bytes;
          gone.add(one);
        }
      }
      if (used + bytes > options.memory) {
        throw ApiException.of(
            HttpStatus.SERVICE_UNAVAILABLE_503,
            "no_memory",
            "model",
            "the model \"%s\" takes %,d MB with its cache; of the %,d MB for models %,d are in use by models at work: try again later, or start the server with more --memory"
                .formatted(entry.name(), bytes >> 20, options.memory >> 20, used >> 20));
      }
      gone.forEach(one -> inMemory.remove(one.entry.name()));
    }
    gone.forEach(this::unload);
  }

  private void unload(Loaded one) {
    options.notices.accept("unloaded " + one.entry.name());
    try {
      one.model.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /// Ends all work and unloads all.
  @Override
  public void close() {
    loading.lock();
    try {
      List<Loaded> all;
      synchronized (inMemory) {
        closed = true;
        all = List.copyOf(inMemory.values());
        inMemory.clear();
      }
      all.forEach(this::unload);
    } finally {
      loading.unlock();
    }
  }
}
