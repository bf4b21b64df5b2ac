package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Chat;
import io.gatun.models.GenerateOptions;
import io.gatun.models.ImagineOptions;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.LlmSession;
import io.gatun.models.PerplexityOptions;
import io.gatun.models.StableDiffusion;
import io.gatun.models.StableDiffusionOptions;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamOptions;
import io.gatun.models.sam.SamPredictor;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.models.sam.config.MaskGeneratorOptions;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Whatever a caller can get wrong is refused when it is said, in a sentence that names it.
class ArgumentsTest {
  private static final float NAN = Float.NaN;

  private static Llm llm;
  private static LlmSession session;
  private static Chat chat;
  private static Sam sam;
  private static SamPredictor image;
  private static StableDiffusion sd;

  @BeforeAll
  static void load() {
    llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1));
    session = llm.newSession();
    chat = llm.newChat();
    sam = Sam.load(TestData.pretrained("tiny-sam"), o -> o.threads(1));
    image = sam.encode(Image.read(TestData.pretrained("tiny-sam").resolve("scene0.png")));
    sd = StableDiffusion.load(TestData.pretrained("tiny-sd"), o -> o.threads(1));
  }

  @AfterAll
  static void close() {
    chat.close();
    session.close();
    llm.close();
    image.close();
    sam.close();
    sd.close();
  }

  static Stream<Arguments> wrong() {
    return Stream.of(
        llmOptions("backend", o -> o.backend(null)),
        llmOptions("precision", o -> o.precision(null)),
        llmOptions("threads", o -> o.threads(0)),
        llmOptions("threads", o -> o.threads(-1)),
        llmOptions("threads", o -> o.threads(1 << 20)),
        llmOptions("loadMode", o -> o.loadMode(null)),
        llmOptions("kv", o -> o.kv(null)),
        llmOptions("context", o -> o.context(0)),
        llmOptions("cacheLimit", o -> o.cacheLimit(0)),
        llmOptions("notices", o -> o.notices(null)),
        wrong("path", () -> Llm.load((Path) null)),
        wrong("path", () -> Llm.load((String) null)),
        wrong("options", () -> Llm.load(TestData.pretrained("tiny-llm"), null)),
        generate("max tokens", o -> o.maxTokens(-1)),
        generate("sampling", o -> o.sampling(null)),
        generate("temperature", o -> o.temperature(-1)),
        generate("temperature", o -> o.temperature(NAN)),
        generate("stop", o -> o.stop(null)),
        generate("stop", o -> o.stop(List.of(""))),
        generate("stop", o -> o.stop(Arrays.asList("a", null))),
        generate("sink", o -> o.sink(null)),
        wrong("options", () -> llm.generate("a", null)),
        wrong("prompt", () -> llm.generate(null)),
        wrong("text", () -> llm.logits(null)),
        wrong("text", () -> llm.perplexity(null)),
        wrong("options", () -> llm.perplexity("a b c", null)),
        wrong("tokens", () -> session.feed((int[]) null)),
        wrong("token", () -> session.feed()),
        wrong("token -1", () -> session.feed(-1)),
        wrong("-1", () -> session.truncate(-1)),
        wrong("prompt", () -> session.generate(null, o -> {})),
        wrong("options", () -> session.generate(new int[] {3}, null)),
        wrong("text", () -> chat.say(null, o -> {})),
        wrong("options", () -> chat.say("a", null)),
        wrong("system", () -> chat.start(null)),
        perplexity("window", o -> o.window(0)),
        perplexity("stride", o -> o.stride(-1)),
        perplexity("progress", o -> o.progress(null)),
        wrong("top-k", () -> SamplingOptions.DEFAULT.withTopK(-1)),
        wrong("top-p", () -> SamplingOptions.DEFAULT.withTopP(0)),
        wrong("top-p", () -> SamplingOptions.DEFAULT.withTopP(NAN)),
        wrong("min-p", () -> SamplingOptions.DEFAULT.withMinP(NAN)),
        wrong("min-p", () -> SamplingOptions.DEFAULT.withMinP(2)),
        wrong("repeat penalty", () -> new SamplingOptions.Penalties(NAN, 0, 0, 64)),
        wrong("repeat last-n", () -> new SamplingOptions.Penalties(1, 0, 0, -2)),
        samOptions("backend", o -> o.backend(null)),
        samOptions("threads", o -> o.threads(0)),
        samOptions("loadMode", o -> o.loadMode(null)),
        samOptions("quantization", o -> o.quantization(null)),
        wrong("path", () -> Sam.load((Path) null)),
        wrong("options", () -> Sam.load(TestData.pretrained("tiny-sam"), null)),
        wrong("image", () -> sam.encode(null)),
        wrong("prompt", () -> image.predict((Prompt) null)),
        wrong("nowhere", () -> Prompt.point(NAN, 3)),
        wrong("nowhere", () -> Prompt.background(3, Float.POSITIVE_INFINITY)),
        wrong("box", () -> Prompt.box(1, NAN, 3, 3)),
        wrong("box", () -> Prompt.box(5, 5, 3, 3)),
        wrong("mask", () -> Prompt.mask(null)),
        wrong("point -1,3", () -> image.predict(Prompt.point(-1, 3))),
        wrong("mask", () -> image.predict(Prompt.mask(new float[3]))),
        masks("pointsPerSide", o -> o.pointsPerSide(0)),
        masks("pointsPerBatch", o -> o.pointsPerBatch(0)),
        masks("predIouThresh", o -> o.predIouThresh(NAN)),
        masks("stabilityScoreThresh", o -> o.stabilityScoreThresh(NAN)),
        masks("stabilityScoreOffset", o -> o.stabilityScoreOffset(NAN)),
        masks("boxNmsThresh", o -> o.boxNmsThresh(NAN)),
        masks("cropNLayers", o -> o.cropNLayers(-1)),
        masks("cropNmsThresh", o -> o.cropNmsThresh(NAN)),
        masks("cropOverlapRatio", o -> o.cropOverlapRatio(NAN)),
        masks("cropNPointsDownscaleFactor", o -> o.cropNPointsDownscaleFactor(0)),
        masks("minMaskRegionArea", o -> o.minMaskRegionArea(-1)),
        masks("pointGrids", o -> o.pointGrids(null)),
        masks("grid", o -> o.pointGrids(List.of())),
        masks("coordinate NaN", o -> o.pointGrids(List.of(new double[] {NAN, 0}))),
        sdOptions("backend", o -> o.backend(null)),
        sdOptions("threads", o -> o.threads(0)),
        sdOptions("loadMode", o -> o.loadMode(null)),
        sdOptions("quantization", o -> o.quantization(null)),
        sdOptions("notices", o -> o.notices(null)),
        sdOptions("scale", o -> o.lora(Path.of("a"), NAN)),
        sdOptions("adaptation", o -> o.lora(null, 1)),
        wrong("path", () -> StableDiffusion.load((Path) null)),
        wrong("options", () -> StableDiffusion.load(TestData.pretrained("tiny-sd"), null)),
        wrong("prompt", () -> sd.imagine(null, o -> {})),
        wrong("options", () -> sd.imagine("a", null)),
        imagine("steps", o -> o.steps(0)),
        imagine("guidance", o -> o.guidance(NAN)),
        imagine("guidance", o -> o.guidance(-1)),
        imagine("width", o -> o.width(0)),
        imagine("height", o -> o.height(-8)),
        imagine("batch", o -> o.batch(0)),
        imagine("scheduler", o -> o.scheduler("none")),
        imagine("rng", o -> o.rng(null)),
        imagine("clip skip", o -> o.clipSkip(-1)),
        imagine("strength", o -> o.strength(NAN)),
        imagine("strength", o -> o.strength(0)),
        imagine("tile", o -> o.vaeTile(-1)),
        imagine("noise", o -> o.noise(new float[3])),
        imagine("originalSize", o -> o.originalSize(0, 8)),
        imagine("cropTopLeft", o -> o.cropTopLeft(0, -1)),
        imagine("targetSize", o -> o.targetSize(8, -1)),
        imagine("onStep", o -> o.onStep(null)));
  }

  private static Arguments wrong(String named, Runnable call) {
    return Arguments.of(named, call);
  }

  private static Arguments llmOptions(String named, Consumer<LlmOptions> choose) {
    return wrong(named, () -> Llm.load(TestData.pretrained("tiny-llm"), choose).close());
  }

  private static Arguments generate(String named, Consumer<GenerateOptions> choose) {
    return wrong(named, () -> llm.generate("a", o -> choose.accept(o.maxTokens(1))));
  }

  private static Arguments perplexity(String named, Consumer<PerplexityOptions> choose) {
    return wrong(named, () -> llm.perplexity("a b c", choose));
  }

  private static Arguments samOptions(String named, Consumer<SamOptions> choose) {
    return wrong(named, () -> Sam.load(TestData.pretrained("tiny-sam"), choose).close());
  }

  private static Arguments masks(String named, Consumer<MaskGeneratorOptions> choose) {
    return wrong(named, () -> new SamAutomaticMaskGenerator(sam, choose));
  }

  private static Arguments sdOptions(String named, Consumer<StableDiffusionOptions> choose) {
    return wrong(named, () -> StableDiffusion.load(TestData.pretrained("tiny-sd"), choose).close());
  }

  private static Arguments imagine(String named, Consumer<ImagineOptions> choose) {
    return wrong(named, () -> sd.imagine("a", o -> choose.accept(o.steps(1))));
  }

  @ParameterizedTest
  @MethodSource("wrong")
  void isRefused(String named, Runnable call) {
    var error = assertThrows(RuntimeException.class, call::run);
    assertTrue(
        error instanceof IllegalArgumentException
            || error instanceof NullPointerException
            || error instanceof IndexOutOfBoundsException,
        error::toString);
    String message = String.valueOf(error.getMessage());
    assertTrue(message.contains(named) && message.contains(" "), message);
    // What the JVM says of itself.
    assertTrue(!message.startsWith("Cannot ") && !message.startsWith("Index "), message);
  }
}
