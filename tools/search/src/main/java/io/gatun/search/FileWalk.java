package io.gatun.search;

import io.gatun.search.Store.State;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.FileVisitor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Brings an index up to the state of a folder.
final class FileWalk {
  /// A file that was changed later than so long before it was read may change again within the same
  /// tick of the file system's clock.
  private static final long TICK_MILLIS = 2000;

  private final Store store;
  private final Intake intake;
  private final Set<String> seen = new HashSet<>();
  private final List<Path> unreadable = new ArrayList<>();

  FileWalk(Store store, Intake intake) {
    this.store = store;
    this.intake = intake;
  }

  /// @param path absolute
  void update(Path path) {
    if (!Files.exists(path)) {
      if (store.sources(path.toString(), "", 1).isEmpty()) {
        throw new SearchException(path + ": there is no such file or folder");
      }
      removeMissing(path);
    } else if (Files.isDirectory(path)) {
      try {
        Files.walkFileTree(path, visitor(path));
      } catch (IOException e) {
        throw SearchException.of(path, e);
      }
      removeMissing(path);
    } else {
      visit(path);
    }
  }

  private FileVisitor<Path> visitor(Path top) {
    return new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
        return !folder.equals(top) && isHidden(folder)
            ? FileVisitResult.SKIP_SUBTREE
            : FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
        if (isHidden(file) || !Files.isRegularFile(file)) {
          return FileVisitResult.CONTINUE; // a link to a folder may lead back here
        }
        if (intake.takes(FileText.kind(file))) {
          visit(file);
        } else {
          intake.ignored();
        }
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFileFailed(Path file, IOException e) {
        unreadable.add(file);
        intake.fail(file + ": " + Reasons.of(e));
        return FileVisitResult.CONTINUE;
      }
    };
  }

  private static boolean isHidden(Path path) {
    return path.getFileName().toString().startsWith(".");
  }

  private void visit(Path file) {
    String source = file.toString();
    if (!seen.add(source)) {
      return;
    }
    try {
      long now = System.currentTimeMillis();
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      long modified = attributes.lastModifiedTime().toMillis();
      long key = modified > now - TICK_MILLIS ? -1 : modified * 31 + attributes.size();
      var known = store.state(source);
      if (known != null && key != -1 && known.modified() == key) {
        intake.unchanged();
        return;
      }
      intake.checkSize(file, attributes.size());
      byte[] bytes = Files.readAllBytes(file);
      String hash = Hashes.of(bytes);
      if (known != null && known.hash().equals(hash)) {
        store.touch(source, key);
        intake.unchanged();
        return;
      }
      intake.add(file, bytes, new State(key, hash));
    } catch (IOException e) {
      intake.fail(file + ": " + Reasons.of(e));
    } catch (SearchException e) {
      intake.fail(e.getMessage());
    }
  }

  private void removeMissing(Path folder) {
    String within = folder.toString();
    for (String after = ""; ; ) {
      var some = store.sources(within, after, 1000);
      for (Source source : some) {
        Path path = Path.of(source.name());
        if (path.startsWith(folder)
            && !seen.contains(source.name())
            && unreadable.stream().noneMatch(path::startsWith)) {
          intake.remove(source.name());
        }
      }
      if (some.size() < 1000) {
        return;
      }
      after = some.getLast().name();
    }
  }
}
