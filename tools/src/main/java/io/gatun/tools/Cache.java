package io.gatun.tools;

import io.gatun.ffm.UserCache;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun cache`: what Gatun keeps in the user's cache folder, all of which it can make again.
@Command(
    name = "cache",
    description =
        "List or clear what Gatun keeps in the user's cache: packed models, native libraries,"
            + " synthetic checkpoints.",
    sortOptions = false,
    subcommands = {Cache.ListCommand.class, Cache.Clear.class})
final class Cache implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: list or clear");
  }

  /// One thing that was put there: `packed/NAME`, `natives/NAME`, ...
  ///
  /// @param used when it was last written, or, for packed models, used
  private record Entry(String name, Path path, long bytes, Instant used) {
    /// Whether `wanted` is its name, with or without its kind, or its kind.
    boolean is(String wanted) {
      return name.equals(wanted) || name.startsWith(wanted + "/") || name.endsWith("/" + wanted);
    }
  }

  private static List<Entry> entries() {
    var entries = new ArrayList<Entry>();
    Path folder = UserCache.folder();
    for (Path kind : children(folder)) {
      for (Path path : Files.isDirectory(kind) ? children(kind) : List.of(kind)) {
        String name = folder.relativize(path).toString().replace('\\', '/');
        entries.add(entry(name, path));
      }
    }
    return entries;
  }

  private static List<Path> children(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Entry entry(String name, Path path) {
    long bytes = 0;
    Instant used = Instant.EPOCH;
    try (Stream<Path> files = Files.walk(path)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        var attributes = Files.readAttributes(file, BasicFileAttributes.class);
        bytes += attributes.size();
        var modified = attributes.lastModifiedTime().toInstant();
        used = modified.isAfter(used) ? modified : used;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new Entry(name, path, bytes, used);
  }

  private static void delete(Path path) {
    try {
      Files.walkFileTree(
          path,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              Files.delete(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path dir, IOException e) throws IOException {
              if (e != null) {
                throw e;
              }
              Files.delete(dir);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long sum(List<Entry> entries) {
    return entries.stream().mapToLong(Entry::bytes).sum();
  }

  private static String age(Instant used) {
    var age = Duration.between(used, Instant.now());
    if (age.toDays() > 1) {
      return age.toDays() + " days ago";
    }
    return age.toHours() > 1 ? age.toHours() + " hours ago" : age.toMinutes() + " min ago";
  }

  private static Map<String, Object> json(String key, List<Entry> entries) {
    var list = new ArrayList<Object>();
    for (var e : entries) {
      var map = new LinkedHashMap<String, Object>();
      map.put("name", e.name);
      map.put("bytes", e.bytes);
      map.put("used", e.used.toString());
      list.add(map);
    }
    var all = new LinkedHashMap<String, Object>();
    all.put("folder", UserCache.folder().toString());
    all.put(key, list);
    all.put("bytes", sum(entries));
    return all;
  }

  private static void print(PrintWriter out, List<Entry> entries) {
    var table = new Table("lrr");
    for (var e : entries) {
      table.row(e.name, Units.bytes(e.bytes), age(e.used));
    }
    out.print(table);
  }

  @Command(
      name = "list",
      description = "Show names, sizes, and when each was last used.",
      sortOptions = false)
  static final class ListCommand implements Runnable {
    @Spec private CommandSpec spec;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public void run() {
      var entries = entries();
      entries.sort(Comparator.comparing(Entry::used).reversed());
      var out = spec.commandLine().getOut();
      if (json) {
        out.println(Json.of(json("entries", entries)));
      } else {
        print(out, entries);
        out.printf("%s: %s%n", UserCache.folder(), Units.bytes(sum(entries)));
      }
      out.flush();
    }
  }

  @Command(
      name = "clear",
      description =
          "Remove what is there: all, or what NAME says. Gatun makes it again when needed.",
      sortOptions = false)
  static final class Clear implements Runnable {
    @Spec private CommandSpec spec;

    @Parameters(
        paramLabel = "NAME",
        arity = "0..1",
        description = "A name that gatun cache list shows, or a kind: packed, natives, synthetic.")
    private String name;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public void run() {
      var entries = entries();
      entries.removeIf(e -> name != null && !e.is(name));
      if (name != null && entries.isEmpty()) {
        throw new ParameterException(
            spec.commandLine(),
            "nothing named \"%s\" in %s; see: gatun cache list"
                .formatted(name, UserCache.folder()));
      }
      entries.forEach(e -> delete(e.path));
      var out = spec.commandLine().getOut();
      if (json) {
        out.println(Json.of(json("removed", entries)));
      } else {
        print(out, entries);
        out.printf("freed %s%n", Units.bytes(sum(entries)));
      }
      out.flush();
    }
  }
}
