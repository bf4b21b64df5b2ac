package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.langchain4j.model.chat.ChatModel;
import io.gatun.langchain4j.GatunChatModel;
import io.gatun.models.image.Image;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.slf4j.LoggerFactory;

/// The README's Java compiles and runs as the README says, and so do its lines for jshell.
@Execution(ExecutionMode.CONCURRENT)
class ReadmeTest {
  private static final Path TARGET = TestData.ROOT.resolve("tools/target");
  private static final String PROMPT = "jshell> ";
  private static final Pattern BLOCK = Pattern.compile("(?s)```java\n// (\\S+\\.java)\n(.*?)```");

  @TempDir private static Path temp;

  private static Launcher launcher;
  private static List<String> sources;

  @BeforeAll
  static void extract() throws Exception {
    launcher = Launcher.in(temp);
    sources = new ArrayList<>();
    Matcher block = BLOCK.matcher(Files.readString(TestData.ROOT.resolve("README.md")));
    while (block.find()) {
      Path file = temp.resolve(block.group(1));
      Files.createDirectories(file.getParent());
      Files.writeString(file, block.group(2));
      sources.add(block.group(1));
    }
  }

  @Test
  void everyBlockNamesItsFile() throws Exception {
    String readme = Files.readString(TestData.ROOT.resolve("README.md"));
    assertEquals(readme.split("```java").length - 1, sources.size());
    assertEquals(
        List.of(
            "library/Library.java",
            "module-info.java",
            "story/Story.java",
            "search/Search.java",
            "serve/Answers.java",
            "masks/Masks.java",
            "drawing/Drawing.java",
            "assistant/Assistant.java",
            "retrieval/Retrieval.java",
            "concierge/Concierge.java",
            "surprise/Surprise.java"),
        sources);
  }

  @Test
  void runsFromTheClassPath() throws Exception {
    tellsAStory(runs("story/Story", TestData.pretrained("tiny-llm").toString()));
  }

  @Test
  void runsAsAModule() throws Exception {
    String lib = TARGET.resolve("lib").toString();
    var sources = new Path[] {temp.resolve("module-info.java"), temp.resolve("story/Story.java")};
    Processes.compile(List.of("-d", temp.resolve("module").toString(), "-p", lib), sources);
    tellsAStory(
        java(
            "--enable-native-access=io.gatun.ffm",
            "-Xmx256m",
            "-p",
            lib + File.pathSeparator + "module",
            "-cp",
            jars("class-path"),
            "-m",
            "story/story.Story",
            TestData.pretrained("tiny-llm").toString()));
  }

  @Test
  void searches() throws Exception {
    Path encoders = TestData.ROOT.resolve("tests/src/test/resources/encoder");
    Path embedder = TestData.complete(encoders.resolve("minilm-l6"));
    Path reranker = TestData.complete(encoders.resolve("bert-reranker"));
    String[] out = runs("search/Search", embedder.toString(), reranker.toString()).split("\\R", -1);
    assertEquals(
        "TextEmbedder(minilm-l6: bert, 2 layers of 32, texts of 112 tokens, ",
        out[0].replaceAll("(F32|BF16)\\)$", ""));
    for (int i = 1; i <= 6; i++) {
      String text = List.of("Jupiter is", "A fox jumps", "Rain falls").get((i - 1) % 3);
      assertTrue(out[i].matches("\\d\\.\\d{3}  " + text + ".*\\."), out[i]);
    }
    // The recorded score of this pair.
    var golden = new ObjectMapper().readTree(reranker.resolve("golden.json").toFile());
    double score = Double.parseDouble(out[4].substring(0, 5));
    assertEquals(golden.get("scores").get(0).doubleValue(), score, 0.02);
    assertEquals(8, out.length);
  }

  @Test
  void indexesDocuments() throws Exception {
    Path encoders = TestData.ROOT.resolve("tests/src/test/resources/encoder");
    String embedder = TestData.complete(encoders.resolve("minilm-l6")).toString();
    Path docs = Files.createDirectories(temp.resolve("docs"));
    Files.writeString(docs.resolve("fox.txt"), "A fox jumps over the dog.\n");
    Files.writeString(docs.resolve("planet.md"), "# Planets\n\nJupiter is the largest.\n");
    String more = jars("search");
    String out = runsWith(more, "library/Library", embedder, docs.toString());
    String[] lines = out.split("\\R", -1);
    assertEquals("3 documents", lines[0]);
    // The embedder is not a trained one: it may like another text as much.
    for (int i = 1; i <= 2; i++) {
      assertTrue(lines[i].matches("0\\.03\\d  (letter 7|\\Q" + docs + "\\E/\\S+):1: .*"), lines[i]);
    }
    assertTrue(out.contains("  letter 7:1: Rain falls over the garden.\n"), out);
    assertEquals(4, lines.length, out);
  }

  @Test
  void answersSeveralAtOnce() throws Exception {
    String out = runs("serve/Answers", TestData.pretrained("tiny-llm").toString());
    Matcher usage = Pattern.compile("Usage\\[promptTokens=\\d+, cachedTokens=\\d+, ").matcher(out);
    assertEquals(2, usage.results().count(), out);
  }

  @Test
  void findsMasks() throws Exception {
    String scene = TestData.pretrained("tiny-sam/scene1.png").toString();
    String out = runs("masks/Masks", TestData.pretrained("tiny-sam").toString(), scene);
    Matcher said = Pattern.compile("(\\d+) pixels, score (\\d\\.\\d+)\\R").matcher(out);
    assertTrue(said.matches(), out);
    // The shape at that point has about 9,000 pixels, and the model is sure of it.
    assertEquals(9000, Integer.parseInt(said.group(1)), 1000);
    assertTrue(Double.parseDouble(said.group(2)) > 0.8, out);
    Image mask = Image.read(temp.resolve("mask.png"));
    assertEquals(255, mask.get(55, 165, 0));
    assertEquals(0, mask.get(170, 90, 0));
    for (String name : new String[] {"overlay.png", "mask.png"}) {
      assertEquals(256, Image.read(temp.resolve(name)).width(), name);
    }
  }

  @Test
  void draws() throws Exception {
    runs("drawing/Drawing", TestData.pretrained("tiny-sd").toString());
    Image circle = Image.read(temp.resolve("circle.png"));
    assertTrue(circle.get(36, 32, 0) > 180 && circle.get(36, 32, 2) < 80, "red in the middle");
    for (int corner : new int[] {2, 61}) {
      assertTrue(circle.get(corner, 2, 2) > 180 && circle.get(corner, 2, 0) < 80, "blue around");
      assertTrue(circle.get(corner, 61, 2) > 180 && circle.get(corner, 61, 0) < 80, "blue around");
    }
  }

  @Test
  void answersInLangChain4j() throws Exception {
    String llm = TestData.pretrained("tiny-llm").toString();
    String out = runsWith(langChain4j(), "assistant/Assistant", llm);
    assertTrue(out.matches("(?s).+\\R\\{\\s*\"merry\"\\s*:\\s*(true|false)\\s*} \\d+\\R"), out);
  }

  private static String langChain4j() {
    return Stream.of(GatunChatModel.class, ChatModel.class, LoggerFactory.class)
        .map(type -> Path.of(type.getProtectionDomain().getCodeSource().getLocation().getPath()))
        .map(Path::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }

  @Test
  void findsDocumentsInLangChain4j() throws Exception {
    Path encoders = TestData.ROOT.resolve("tests/src/test/resources/encoder");
    String embedder = TestData.complete(encoders.resolve("minilm-l6")).toString();
    String more = langChain4j() + File.pathSeparator + jars("search");
    String[] out = runsWith(more, "retrieval/Retrieval", embedder).split("\\R", -1);
    assertTrue(out[0].startsWith("Rain falls over the garden.  Metadata"), out[0]);
    assertTrue(out[0].contains("source=letter 7"), out[0]);
    assertTrue(out[1].matches("(1\\.000|0\\.99\\d)  A fox jumps over the dog\\."), out[1]);
    assertEquals(3, out.length);
  }

  /// As an executable jar whose manifest says what a manifest can.
  @Test
  void answersInSpring() throws Exception {
    String classPath = System.getProperty("java.class.path");
    compile("spring", classPath, "concierge/Concierge");
    var manifest = new Manifest();
    var main = manifest.getMainAttributes();
    main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    main.put(Attributes.Name.MAIN_CLASS, "concierge.Concierge");
    main.putValue("Enable-Native-Access", "ALL-UNNAMED");
    main.put(
        Attributes.Name.CLASS_PATH,
        Stream.of(classPath.split(File.pathSeparator))
            .map(entry -> Path.of(entry).toUri().toString())
            .collect(Collectors.joining(" ")));
    Path jar = temp.resolve("concierge.jar");
    try (var out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
      out.putNextEntry(new JarEntry("concierge/Concierge.class"));
      out.write(Files.readAllBytes(temp.resolve("spring/concierge/Concierge.class")));
    }
    String model = "--spring.ai.gatun.chat.model=" + TestData.pretrained("tiny-llm");
    var options = List.of("-jar", jar.toString(), model, "--spring.ai.gatun.chat.max-tokens=5");
    var with = new ArrayList<>(List.of("-Xmx256m", "--add-modules", "jdk.incubator.vector"));
    with.addAll(options);
    String out = java(with.toArray(String[]::new));
    assertTrue(out.matches("(?s).*\\S+.*\\R"), out);
    var without = new ArrayList<>(options);
    without.addFirst(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    Result failed = launcher.run(temp, without);
    assertEquals(1, failed.code());
    String said = failed.out() + failed.err();
    assertTrue(said.contains("Start Java with --add-modules jdk.incubator.vector"), said);
    assertFalse(said.contains("\tat "), said);
  }

  @Test
  void jshellAnswers() throws Exception {
    String readme = Files.readString(TestData.ROOT.resolve("README.md"));
    var asked = new StringBuilder();
    var answers = new ArrayList<String>();
    Matcher block = Pattern.compile("(?s)```\n(jshell> .*?)```").matcher(readme);
    assertTrue(block.find());
    for (String line : block.group(1).lines().toList()) {
      if (line.startsWith(PROMPT)) {
        asked.append(line.substring(PROMPT.length())).append('\n');
      } else if (!line.isBlank()) {
        answers.add(line);
      }
    }
    Result result = launcher.reading(asked.toString()).gatun("jshell");
    assertEquals(0, result.code(), result.err());
    // What the README leaves out is as long as a text or an array, or names a file.
    answers.addAll(
        List.of(
            "$2 ==> \"",
            "$4 ==> float[1024] {",
            "sam ==> Sam(tiny-sam: ",
            "img ==> SamPredictor(256 x 192 pixels)",
            "$7 ==> \"no display; Image(256 x 192 grey) is written to ",
            "sd ==> StableDiffusion(tiny-sd: ",
            "$9 ==> \"no display; Image(64 x 64 RGB) is written to "));
    for (String answer : answers) {
      assertTrue(result.out().contains(answer), answer + " is not in " + result.out());
    }
  }

  /// What a class prints that is compiled and started from the class path.
  private static String runs(String name, String... args) throws Exception {
    return runsWith("", name, args);
  }

  /// @param more of the class path
  private static String runsWith(String more, String name, String... args) throws Exception {
    String classPath =
        jars("lib") + File.pathSeparator + jars("class-path") + File.pathSeparator + more;
    compile("classes", classPath, name);
    var all = new ArrayList<String>();
    all.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"));
    all.addAll(List.of("-Xmx256m", "-cp", classPath + File.pathSeparator + "classes"));
    all.add(name.replace('/', '.'));
    all.addAll(List.of(args));
    return java(all.toArray(String[]::new));
  }

  private static void compile(String folder, String classPath, String name) throws Exception {
    var options = List.of("-d", temp.resolve(folder).toString(), "-cp", classPath, "-parameters");
    Processes.compile(options, temp.resolve(name + ".java"));
  }

  private static void tellsAStory(String out) {
    assertTrue(out.contains("[0, "), out);
    assertTrue(out.contains("First Citizen\n1024 logits\nBF16 (128,) [1.406"), out);
    assertTrue(out.matches("(?s).*\nperplexity \\d+\\.\\d+\n"), out);
  }

  private static String java(String... args) throws Exception {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(args));
    Result result = launcher.run(temp, command);
    assertEquals(0, result.code(), result.err());
    return result.out();
  }

  private static String jars(String folder) throws Exception {
    try (Stream<Path> files = Files.list(TARGET.resolve(folder))) {
      return files.map(Path::toString).collect(Collectors.joining(File.pathSeparator));
    }
  }
}
