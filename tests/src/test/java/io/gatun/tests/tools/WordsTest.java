package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Llm;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Mistakes are answered in the words of those who make them.
class WordsTest {
  @TempDir private static Path temp;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "generate --seed x|'x' is not a whole number",
        "generate --seed 99999999999999999999|is not a whole number that Gatun can count to",
        "generate --temp warm|'warm' is not a number",
        "generate -p|--prompt TEXT needs a value",
        "generate -p --json|--prompt=VALUE",
        "generate hello|'hello' is a word too many; a text of several words needs quotes",
        "imagine a red circle|'red' is a word too many; a text of several words needs quotes",
        "doctor now|'now' is a word too many",
        "bench lm|There is no command 'lm'",
        "segment|--images PATH is missing",
        "inspect|Name one checkpoint",
        "quantize -m x|--out PATH is missing",
        "imagine x --steps 100000|steps is 100000; this scheduler takes 1 to",
        "imagine x --out TEMP/no/a.png|there is no folder TEMP/no",
        "imagine x --out TEMP|need a name that ends in .png, .jpg, .jpeg",
        "imagine x --out TEMP/folder.png|folder.png: it is a directory; need a file",
        "segment -i SCENE --point 1,1 --out TEMP/folder.png|it is a directory",
        "segment -i SCENE --point 1,1 --overlay TEMP/no/a.png|there is no folder TEMP/no",
        "quantize -m nowhere -o TEMP/no/a|there is no folder TEMP/no",
        "pack -m nowhere -o TEMP/no/a|there is no folder TEMP/no",
      })
  void refusals(String line, String message) throws Exception {
    Files.createDirectories(temp.resolve("folder.png"));
    String scene = TestData.pretrained("tiny-sam/scene0.png").toString();
    String[] words = line.replace("TEMP", temp.toString()).replace("SCENE", scene).split(" ");
    Result result = InProcess.gatun(words);
    assertRefused(result, message.replace("TEMP", temp.toString()));
    assertFalse(result.err().contains("Exception"), result.err());
    assertFalse(result.err().contains("at index"), result.err());
  }

  /// What a program prints that uses the library and was started without the Vector API.
  @Test
  void aLibraryWithoutTheVectorApi() throws Exception {
    var builder = Processes.java(WordsTest.class, List.of());
    builder.command().remove("--add-modules=jdk.incubator.vector");
    Result result = Processes.run(builder);
    assertEquals(
        "Java's Vector API is not there; start Java with --add-modules jdk.incubator.vector (in"
            + " Maven's surefire: <argLine>), or use the scalar backend",
        result.out().strip(),
        result.err());
  }

  /// Loads a model without JUnit.
  public static void main(String[] args) {
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"))) {
      System.out.println(llm);
    } catch (IllegalStateException e) {
      System.out.println(e.getMessage());
    }
  }

  @Test
  void aLocaleThatIsNamedButNotInstalled() throws Exception {
    Result result =
        Launcher.in(temp).with("LC_ALL", "xx_XX.UTF-8").gatun("tokenize", "-p", "\u00e9", "--json");
    assertTrue(result.out().contains("\"\u00e9\""), result.out());
  }
}
