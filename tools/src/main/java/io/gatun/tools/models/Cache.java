package io.gatun.tools.models;

import io.gatun.ffm.files.CacheEntry;
import io.gatun.ffm.files.UserCache;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
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
public final class Cache implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: list or clear");
  }

  public static long sum(List<CacheEntry> entries) {
    return entries.stream().mapToLong(CacheEntry::bytes).sum();
  }

  private static String age(Instant used) {
    var age = Duration.between(used, Instant.now());
    if (age.toDays() > 1) {
      return age.toDays() + " days ago";
    }
    return age.toHours() > 1 ? age.toHours() + " hours ago" : age.toMinutes() + " min ago";
  }

  private static Map<String, Object> json(String key, List<CacheEntry> entries) {
    var list = new ArrayList<Object>();
    for (var e : entries) {
      var map = new LinkedHashMap<String, Object>();
      map.put("name", e.name());
      map.put("bytes", e.bytes());
      map.put("used", e.used().toString());
      list.add(map);
    }
    var all = new LinkedHashMap<String, Object>();
    all.put("folder", UserCache.folder().toString());
    all.put(key, list);
    all.put("bytes", sum(entries));
    return all;
  }

  private static void print(PrintWriter out, List<CacheEntry> entries) {
    var table = new Table("lrr");
    for (var e : entries) {
      table.row(e.name(), Units.bytes(e.bytes()), age(e.used()));
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
      var entries = CacheEntry.all();
      entries.sort(Comparator.comparing(CacheEntry::used).reversed());
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
      description = {
        "Remove what is there: all, or what NAME says. Gatun makes it again when needed.",
        "",
        "Asks before it removes everything or a kind, and needs --yes where nobody can be asked;"
            + " what is named in full goes at once. Files that are not Gatun's stay."
      },
      sortOptions = false)
  static final class Clear implements Runnable {
    @Spec private CommandSpec spec;

    @Parameters(
        paramLabel = "NAME",
        arity = "0..1",
        description = "A name that gatun cache list shows, or a kind: packed, natives, synthetic.")
    private String name;

    @Option(
        names = {"-y", "--yes"},
        description = "Do not ask.")
    private boolean yes;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public void run() {
      var entries = CacheEntry.all();
      entries.removeIf(e -> name != null && !e.is(name));
      if (name != null && entries.isEmpty()) {
        throw new ParameterException(
            spec.commandLine(),
            "nothing named \"%s\" in %s; see: gatun cache list"
                .formatted(name, UserCache.folder()));
      }
      if (!isAgreed(entries)) {
        return;
      }
      entries.forEach(CacheEntry::remove);
      var out = spec.commandLine().getOut();
      if (json) {
        out.println(Json.of(json("removed", entries)));
      } else {
        print(out, entries);
        out.printf("freed %s%n", Units.bytes(sum(entries)));
      }
      out.flush();
    }

    private boolean isAgreed(List<CacheEntry> entries) {
      if (yes
          || entries.isEmpty()
          || name != null && entries.stream().allMatch(e -> e.isNamed(name))) {
        return true;
      }
      String what =
          "%d of Gatun's files and folders, %s, in %s"
              .formatted(entries.size(), Units.bytes(sum(entries)), UserCache.folder());
      var stdio = Stdio.of(spec);
      if (!stdio.isInteractive()) {
        throw new ParameterException(
            spec.commandLine(), "to remove %s without a question, add --yes".formatted(what));
      }
      var err = spec.commandLine().getErr();
      err.print("Remove " + what + "? [y/N] ");
      err.flush();
      var answer = new Scanner(stdio.in(), StandardCharsets.UTF_8);
      return answer.hasNextLine() && answer.nextLine().strip().matches("(?i:y|yes)");
    }
  }
}
