package io.gatun.models;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/// A model that all who ask for the same have together: loaded for the first of them, closed by the
/// last. Any thread may use it.
///
/// ```java
/// try (var shared = Shared.open(List.of("chat", path), () -> Llm.load(path))) {
///   shared.get().generate("Once upon a time");
/// }
/// ```
public final class Shared<M extends AutoCloseable> implements AutoCloseable {
  private static final class Entry {
    private AutoCloseable model;
    private int users;
  }

  private static final Map<Object, Entry> OPEN = new HashMap<>();

  private final Object key;
  private final Entry entry;
  private final M model;
  private boolean closed;

  private Shared(Object key, Entry entry, M model) {
    this.key = key;
    this.entry = entry;
    this.model = model;
  }

  /// Opens what goes by a key, which is loaded if nobody has it. Who asks meanwhile waits; those
  /// who ask for others do not.
  ///
  /// @param key all that decides what is loaded, its class included; compared by `equals`
  public static <M extends AutoCloseable> Shared<M> open(Object key, Supplier<M> load) {
    Objects.requireNonNull(key, "the key is null");
    Entry entry;
    synchronized (OPEN) {
      entry = OPEN.computeIfAbsent(key, k -> new Entry());
      entry.users++;
    }
    try {
      synchronized (entry) {
        if (entry.model == null) {
          entry.model = load.get();
        }
        @SuppressWarnings("unchecked") // the key names the class
        var model = (M) entry.model;
        return new Shared<>(key, entry, model);
      }
    } catch (RuntimeException | Error e) {
      leave(key, entry);
      throw e;
    }
  }

  private static void leave(Object key, Entry entry) {
    synchronized (OPEN) {
      if (--entry.users > 0) {
        return;
      }
      OPEN.remove(key);
    }
    synchronized (entry) {
      if (entry.model == null) {
        return;
      }
      try {
        entry.model.close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException("closing a model failed: " + e.getMessage(), e);
      }
    }
  }

  /// The model.
  ///
  /// @throws IllegalStateException if this is closed
  public synchronized M get() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
    return model;
  }

  /// Gives it back; a second call does nothing.
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    leave(key, entry);
  }

  @Override
  public String toString() {
    return "Shared(%s)".formatted(model);
  }
}
