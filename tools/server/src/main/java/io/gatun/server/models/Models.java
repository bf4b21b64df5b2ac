package io.gatun.server.models;

import io.gatun.models.DoesNotFitException;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Catalog.Entry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.jetty.http.HttpStatus;

/// The models that are served, by name. One is loaded when it is asked for; when memory is short,
/// the one that has not been used for longest goes, unless it is at work.
public final class Models implements AutoCloseable {
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
  public final class Lease<M extends AutoCloseable> implements AutoCloseable {
    private final Loaded loaded;
    private final M model;

    private Lease(Loaded loaded, M model) {
      this.loaded = loaded;
      this.model = model;
    }

    public M model() {
      return model;
    }

    public String name() {
      return loaded.entry.name();
    }

    public Entry entry() {
      return loaded.entry;
    }

    /// Has the model unloaded once nobody uses it, unless somebody asks for it before.
    public void leave() {
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

  private final Settings settings;
  private final Catalog catalog;
  private final ModelLoader loader;
  private final Map<String, Loaded> inMemory = new LinkedHashMap<>();
  private final ReentrantLock loading = new ReentrantLock(true);
  private boolean closed;

  /// @throws io.gatun.loaders.CheckpointException if a model cannot be read, or there is none
  public Models(Settings settings) {
    this.settings = settings;
    catalog = new Catalog(settings);
    loader = new ModelLoader(settings, catalog);
  }

  /// All that may be asked for.
  public Catalog catalog() {
    return catalog;
  }

  /// What is loaded, the least recently used first.
  public List<Entry> loaded() {
    synchronized (inMemory) {
      return inMemory.values().stream()
          .sorted(Comparator.comparingLong(one -> one.lastUse))
          .map(one -> one.entry)
          .toList();
    }
  }

  /// The loaded language models, to look at.
  public Map<String, TextModel> textModels() {
    return loaded(TextModel.class);
  }

  /// The loaded models of a kind, to look at.
  public <M> Map<String, M> loaded(Class<M> type) {
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

  /// The model of a name, which is loaded if it is not yet.
  ///
  /// @param name null for the first of this use
  /// @throws ApiException if there is none, it is of another kind, or there is no room for it
  /// @throws io.gatun.loaders.CheckpointException if it cannot be loaded
  public <M extends AutoCloseable> Lease<M> lease(String name, Use use, Class<M> type) {
    var entry = catalog.find(name, use);
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
        // Engines count those who wait for them, and the answers that each asks for.
        if (entry.use() != Use.CHAT && found.users >= settings.queue + settings.parallel) {
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
    long bytes = entry.bytes() + (entry.use() == Use.CHAT ? settings.kvMemory : 0);
    makeRoom(entry, bytes);
    long began = System.nanoTime();
    var loaded = new Loaded(entry, open(entry), bytes);
    settings.notices.accept(
        "loaded %s in %.1f s".formatted(entry.name(), (System.nanoTime() - began) / 1e9));
    synchronized (inMemory) {
      loaded.users = 1;
      inMemory.put(entry.name(), loaded);
    }
    return loaded;
  }

  /// What is free may be less than what this server may have.
  private AutoCloseable open(Entry entry) {
    try {
      return loader.open(entry);
    } catch (DoesNotFitException e) {
      if (unloadIdle()) {
        return open(entry);
      }
      throw ApiException.of(HttpStatus.SERVICE_UNAVAILABLE_503, "no_memory", "model", e.shortage());
    }
  }

  /// Unloads all that nobody uses; whether there was any.
  private boolean unloadIdle() {
    List<Loaded> gone;
    synchronized (inMemory) {
      gone = inMemory.values().stream().filter(one -> one.users == 0).toList();
      gone.forEach(one -> inMemory.remove(one.entry.name()));
    }
    gone.forEach(this::unload);
    return !gone.isEmpty();
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
        if (used + bytes > settings.memory) {
          used -= one.bytes;
          gone.add(one);
        }
      }
      if (used + bytes > settings.memory) {
        throw ApiException.of(
            HttpStatus.SERVICE_UNAVAILABLE_503,
            "no_memory",
            "model",
            "the model \"%s\" takes %,d MB with its cache; of the %,d MB for models %,d are in use by models at work: try again later, or start the server with more --memory"
                .formatted(entry.name(), bytes >> 20, settings.memory >> 20, used >> 20));
      }
      gone.forEach(one -> inMemory.remove(one.entry.name()));
    }
    gone.forEach(this::unload);
  }

  private void unload(Loaded one) {
    settings.notices.accept("unloaded " + one.entry.name());
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
      loader.close();
    } finally {
      loading.unlock();
    }
  }
}
