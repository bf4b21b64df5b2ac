package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;

/// What is in the cache, whoever put it there, and the removing of it.
final class CacheContents {
  private final HubCache cache;
  private final HubOptions options;

  CacheContents(HubOptions options) {
    this.options = options;
    cache = new HubCache(options.cache(), options.links);
  }

  /// All models, by name; of a repository with several quantizations each is one.
  List<CachedModel> models() {
    var found = new ArrayList<CachedModel>();
    for (Path folder : list(cache.root())) {
      var repository = HubCache.repository(folder);
      if (repository.isPresent() && Files.isDirectory(folder)) {
        add(folder, repository.get(), found);
      }
    }
    found.sort(Comparator.comparing(CachedModel::name));
    return found;
  }

  private void add(Path folder, String repository, List<CachedModel> found) {
    var refs = refs(folder);
    for (Path snapshot : list(folder.resolve("snapshots"))) {
      String commit = snapshot.getFileName().toString();
      String revision = refs.getOrDefault(commit, commit);
      var name = new HubName(repository, revision, null);
      var files = cache.files(repository, commit);
      var quants = GgufFiles.in(files);
      for (var gguf : quants) {
        String what = gguf.quant().isEmpty() ? gguf.files().getFirst() : gguf.quant();
        found.add(model(name.select(what), snapshot, gguf.files(), files));
        files.keySet().removeAll(gguf.files());
      }
      if (quants.isEmpty() || files.keySet().stream().anyMatch(FileChoice::isWeights)) {
        found.add(model(name, snapshot, List.copyOf(files.keySet()), files));
      }
    }
  }

  private CachedModel model(
      HubName name, Path snapshot, List<String> paths, SequencedMap<String, Long> sizes) {
    long bytes = 0;
    var changed = Instant.EPOCH;
    for (String path : paths) {
      bytes += sizes.getOrDefault(path, 0L);
      try {
        var time = Files.getLastModifiedTime(snapshot.resolve(path)).toInstant();
        changed = time.isAfter(changed) ? time : changed;
      } catch (IOException e) {
        // One of several files is missing, which isWhole tells.
      }
    }
    var there = Hub.find(name, options);
    return new CachedModel(
        name.toString(), bytes, changed, there.orElse(snapshot), there.isPresent());
  }

  /// From commits to the branches and tags that mean them; main before others.
  private static Map<String, String> refs(Path folder) {
    Path refs = folder.resolve("refs");
    var names = new HashMap<String, String>();
    try (Stream<Path> files = Files.walk(refs)) {
      for (Path ref : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = refs.relativize(ref).toString().replace(java.io.File.separatorChar, '/');
        names.merge(Files.readString(ref).strip(), name, (a, b) -> a.equals("main") ? a : b);
      }
    } catch (IOException | UncheckedIOException e) {
      // None: commits have only their own names.
    }
    return names;
  }

  /// Removes a model, as far as no other one has its files.
  ///
  /// @return the bytes that are free now
  long remove(HubName name) throws IOException {
    Path folder = cache.folder(name.repository());
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      throw nothing(name);
    }
    if (name.selector() == null && name.revision().equals("main")) {
      long bytes = removeAll(folder);
      removeAll(cache.root().resolve(".locks").resolve(folder.getFileName()));
      return bytes;
    }
    String commit = cache.commit(name).orElseThrow(() -> nothing(name));
    Path snapshot = cache.snapshot(name.repository(), commit);
    var files = cache.files(name.repository(), commit);
    if (files.isEmpty()) {
      throw nothing(name);
    }
    var going = name.selector() == null ? files.keySet() : chosen(name, files);
    long before = bytes(folder);
    for (String file : List.copyOf(going)) {
      Files.deleteIfExists(snapshot.resolve(file));
    }
    removeEmpty(snapshot);
    removeUnused(folder);
    if (!Files.exists(snapshot)) {
      removeRefs(folder, commit);
    }
    return before - bytes(folder);
  }

  private Set<String> chosen(HubName name, SequencedMap<String, Long> files) {
    if (files.containsKey(name.selector())) {
      return new HashSet<>(GgufFiles.partsOf(name.selector(), files));
    }
    return new HashSet<>(GgufFiles.choose(name, GgufFiles.in(files)).files());
  }

  private CheckpointException nothing(HubName name) {
    var there = models().stream().map(CachedModel::name).toList();
    return new CheckpointException(
        "%s: is not in %s; there %s"
            .formatted(
                name,
                cache.root(),
                there.isEmpty() ? "is nothing" : "are " + String.join(", ", there)));
  }

  /// Contents that no snapshot has a link to.
  private static void removeUnused(Path folder) throws IOException {
    var used = new HashSet<Path>();
    try (Stream<Path> files = Files.walk(folder.resolve("snapshots"))) {
      for (Path link : files.filter(Files::isSymbolicLink).toList()) {
        used.add(link.getParent().resolve(Files.readSymbolicLink(link)).normalize());
      }
    }
    for (Path blob : list(folder.resolve("blobs"))) {
      if (!used.contains(blob.normalize()) && !blob.toString().endsWith(".incomplete")) {
        Files.delete(blob);
      }
    }
  }

  private static void removeRefs(Path folder, String commit) throws IOException {
    try (Stream<Path> files = Files.walk(folder.resolve("refs"))) {
      for (Path ref : files.filter(Files::isRegularFile).toList()) {
        if (Files.readString(ref).strip().equals(commit)) {
          Files.delete(ref);
        }
      }
    } catch (java.nio.file.NoSuchFileException e) {
      // There are none.
    }
  }

  private static void removeEmpty(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS) && list(path).isEmpty()) {
          Files.delete(path);
        }
      }
    }
  }

  /// Links are removed, not followed.
  private static long removeAll(Path folder) throws IOException {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return 0;
    }
    long bytes = bytes(folder);
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
    return bytes;
  }

  private static long bytes(Path folder) throws IOException {
    long bytes = 0;
    if (Files.isDirectory(folder)) {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path path : all.toList()) {
          if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
            bytes += HubCache.sizeOf(path);
          }
        }
      }
    }
    return bytes;
  }

  private static List<Path> list(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    } catch (IOException e) {
      return List.of();
    }
  }
}
