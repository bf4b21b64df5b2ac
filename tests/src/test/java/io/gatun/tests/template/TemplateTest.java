package io.gatun.tests.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Templates as transformers renders them.
class TemplateTest {
  /// A part of the recorded cases, of templates that were written for them.
  @Test
  void committedCases() throws Exception {
    Path folder = TestData.ROOT.resolve("tests/src/test/resources/jinja");
    assertTrue(compare(folder) >= 40);
  }

  @Test
  void allRecordedCases() throws Exception {
    assertTrue(compare(TestData.shared("jinja")) >= 570);
  }

  private static int compare(Path folder) throws Exception {
    var goldens = new JinjaGoldens(folder);
    var wrong = new ArrayList<String>();
    int cases = 0;
    for (Path file : goldens.files()) {
      wrong.addAll(goldens.differences(file));
      cases += goldens.cases(file);
    }
    assertEquals(List.of(), wrong);
    return cases;
  }
}
