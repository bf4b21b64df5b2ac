package io.gatun.tests.lifetime;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.diffusion.files.VaeFile;
import io.gatun.models.diffusion.lora.Lora;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Everything that can be closed can be closed again, by any thread.
class SecondCloseTest {
  private static final Path LLM = TestData.pretrained("tiny-llm");
  private static final Path SAM = TestData.pretrained("tiny-sam");
  private static final Path SD = TestData.pretrained("tiny-sd");

  private static final CacheLayout LAYOUT =
      new CacheLayout(List.of(new KvLayout(1, 32, 32, 0)), Plain.F16);

  /// Makes something that can be closed, with a folder at hand.
  private interface Maker {
    AutoCloseable make(Path folder);
  }

  private static Named<Maker> of(String name, Maker maker) {
    return Named.of(name, maker);
  }

  private static Stream<Named<Maker>> makers() {
    return Stream.of(
        of("Workers", _ -> new Workers(2)),
        of("Ops", _ -> new Ops(Backend.NATIVE, 2)),
        of("KvPool", _ -> new KvPool(1)),
        of("Sequence", _ -> new Sequence(new KvPool(1 << 20), LAYOUT, 64)),
        of("scope", _ -> new Ops(Backend.NATIVE, 1).scope()),
        of("Checkpoint", _ -> Checkpoint.open(LLM)),
        of("Llm", _ -> Llm.load(LLM)),
        of("LlmSession", _ -> Llm.load(LLM).newSession()),
        of("Chat", _ -> Llm.load(LLM).newChat()),
        of("Sam", _ -> Sam.load(SAM)),
        of("SamPredictor", _ -> Sam.load(SAM).encode(Image.read(SAM.resolve("scene0.png")))),
        of("StableDiffusion", _ -> StableDiffusion.load(SD)),
        of("PipelineFiles", _ -> PipelineFiles.open(SD, LoadMode.MAP)),
        of("VaeFile", _ -> VaeFile.open(SD.resolve("vae"), LoadMode.MAP)),
        of("Lora", SecondCloseTest::lora));
  }

  private static Lora lora(Path folder) {
    Path file = folder.resolve("lora.safetensors");
    new SafetensorsWriter()
        .add("lora_unet_x.lora_down.weight", Tensor.allocate(Arena.ofAuto(), Plain.F32, 4, 8))
        .add("lora_unet_x.lora_up.weight", Tensor.allocate(Arena.ofAuto(), Plain.F32, 8, 4))
        .write(file);
    return Lora.open(file, 1);
  }

  @ParameterizedTest
  @MethodSource("makers")
  void doesNothing(Maker maker, @TempDir Path folder) throws Exception {
    var closeable = maker.make(folder);
    closeable.close();
    assertDoesNotThrow(closeable::close);
    try (ExecutorService other = Executors.newSingleThreadExecutor()) {
      other.submit(() -> assertDoesNotThrow(closeable::close)).get(50, TimeUnit.SECONDS);
    }
  }
}
