package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// What `mvn package` has put before the launcher against the list in NOTICE.
class NoticeTest {
  private static final Path TARGET = TestData.ROOT.resolve("tools/target");

  private static final Pattern LINE =
      Pattern.compile("(?m)^[\\w.-]+:([\\w.-]+) +(\\S+) +(Apache-2\\.0|BSD-3-Clause|MIT)$");

  private static List<String> jars(String folder) throws IOException {
    Path path = TARGET.resolve(folder);
    assertTrue(Files.isDirectory(path), path + " is not there: mvn package makes it");
    try (var files = Files.list(path)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static List<String> shipped() throws IOException {
    var all = new ArrayList<>(jars("lib"));
    all.addAll(jars("class-path"));
    all.addAll(jars("server"));
    all.addAll(jars("search"));
    return all;
  }

  @Test
  void listsEachJarThatIsShippedAndNoOther() throws IOException {
    String notice = Files.readString(TestData.ROOT.resolve("NOTICE"));
    Set<String> listed =
        LINE.matcher(notice)
            .results()
            .map(line -> line.group(1) + "-" + line.group(2))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> modules =
        Set.of("ffm-bindings", "tensor", "loaders", "models", "tools", "server", "gatun-search");
    var found = new TreeSet<String>();
    for (String jar : shipped()) {
      String name = jar.substring(0, jar.length() - ".jar".length());
      if (modules.stream().noneMatch(module -> name.startsWith(module + "-0."))) {
        // Those of native libraries end with the platform.
        found.add(name.replaceFirst("-(linux|macosx|windows)-\\w+$", ""));
      }
    }
    assertEquals(listed, found);
  }

  @Test
  void fewJars() throws IOException {
    assertTrue(shipped().size() < 32, shipped().toString());
  }
}
