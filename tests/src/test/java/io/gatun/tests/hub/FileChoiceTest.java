package io.gatun.tests.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Which files of repositories of all kinds are fetched.
class FileChoiceTest {
  private static final String NAME = "org/model";

  private final FakeHub hub = new FakeHub();
  @TempDir private Path cache;

  @AfterEach
  void close() {
    hub.close();
  }

  /// Makes a repository of files whose contents are their names, but for `path=contents`.
  private void commit(String... files) {
    var contents = new HashMap<String, byte[]>();
    for (String file : files) {
      String[] parts = file.split("=", 2);
      contents.put(parts[0], parts[parts.length - 1].getBytes(UTF_8));
    }
    hub.commit(NAME, contents);
  }

  private Path pull(String name) {
    return Hub.pull(name, o -> o.cache(cache).endpoint(hub.endpoint()).token(null));
  }

  /// What is fetched for a name, and what of it is opened.
  private void fetches(String name, String open, String... files) throws IOException {
    Path path = pull(name);
    Path snapshots = cache.resolve("models--org--model/snapshots");
    Path snapshot = snapshots.resolve(snapshots.relativize(path).getName(0));
    assertEquals(open, snapshot.relativize(path).toString());
    try (Stream<Path> all = Files.walk(snapshot)) {
      assertEquals(
          Stream.of(files).sorted().toList(),
          all.filter(Files::isRegularFile)
              .map(f -> snapshot.relativize(f).toString())
              .sorted()
              .toList());
    }
    // What was fetched is found again, with no network.
    assertEquals(path, Hub.find(name, o -> o.cache(cache).offline(true)).orElseThrow());
  }

  private String refusal(String name) {
    return assertThrows(CheckpointException.class, () -> pull(name)).getMessage();
  }

  @Test
  void shardsAreThoseOfTheIndex() throws IOException {
    commit(
        "config.json={}",
        "tokenizer.model",
        "model.safetensors.index.json="
            + "{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\","
            + " \"b\": \"model-00002-of-00002.safetensors\"}}",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model-00009-of-00009.safetensors",
        "consolidated.safetensors",
        "original/consolidated.00.pth",
        "pytorch_model.bin");
    fetches(
        NAME,
        "",
        "config.json",
        "tokenizer.model",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors");
    // A part that went missing is noticed, and fetched again.
    Path folder = pull(NAME);
    Files.delete(folder.resolve("model-00002-of-00002.safetensors"));
    assertTrue(Hub.find(NAME, o -> o.cache(cache)).isEmpty());
    assertTrue(Files.exists(pull(NAME).resolve("model-00002-of-00002.safetensors")));
  }

  @Test
  void anIndexOfMissingPartsIsRefused() {
    commit(
        "config.json={}",
        "model.safetensors.index.json={\"weight_map\": {\"a\": \"gone.safetensors\"}}");
    assertTrue(refusal(NAME).contains("gone.safetensors"), refusal(NAME));
  }

  @Test
  void withoutSafetensorsPickledWeightsAreTaken() throws IOException {
    commit("config.json={}", "pytorch_model.bin", "training_args.bin", "vocab.txt", "x.h5");
    fetches(NAME, "", "config.json", "pytorch_model.bin", "vocab.txt");
  }

  @Test
  void aPipelineIsItsPartsInTheSmallerVariant() throws IOException {
    commit(
        "model_index.json={\"_class_name\": \"StableDiffusionPipeline\","
            + " \"unet\": [\"diffusers\", \"UNet\"], \"vae\": [\"diffusers\", \"Vae\"],"
            + " \"tokenizer\": [\"transformers\", \"T\"], \"scheduler\": [\"diffusers\", \"S\"],"
            + " \"safety_checker\": [\"x\", \"y\"], \"text_encoder_2\": [null, null]}",
        "unet/config.json={}",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "vae/config.json={\"a\": 1}",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/vocab.json={\"a\": 2}",
        "tokenizer/merges.txt",
        "scheduler/scheduler_config.json={\"a\": 3}",
        "safety_checker/config.json={\"a\": 4}",
        "safety_checker/model.safetensors",
        "v1-5-pruned.safetensors");
    String[] small = {
      "model_index.json",
      "unet/config.json",
      "vae/config.json",
      "tokenizer/vocab.json",
      "tokenizer/merges.txt",
      "scheduler/scheduler_config.json"
    };
    var files = new java.util.ArrayList<>(List.of(small));
    files.add("unet/diffusion_pytorch_model.fp16.safetensors");
    files.add("vae/diffusion_pytorch_model.safetensors");
    fetches(NAME, "", files.toArray(String[]::new));
    assertTrue(refusal(NAME + ":bf16").contains("variant"), refusal(NAME + ":bf16"));
    files.add("v1-5-pruned.safetensors");
    fetches(
        NAME + ":v1-5-pruned.safetensors", "v1-5-pruned.safetensors", files.toArray(String[]::new));
  }

  @Test
  void sentenceTransformersBringTheirModules() throws IOException {
    commit(
        "config.json={}",
        "model.safetensors",
        "tokenizer.json={}  ",
        "modules.json=[{\"path\": \"\"}, {\"path\": \"1_Pooling\"}, {\"path\": \"2_Dense\"}]",
        "1_Pooling/config.json={\"p\": 1}",
        "2_Dense/config.json={\"p\": 2}",
        "2_Dense/model.safetensors=dense",
        "2_Dense/pytorch_model.bin",
        "onnx/model.onnx");
    fetches(
        NAME,
        "",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors");
  }

  @Test
  void quantizationsAreChosenByTheirNames() throws IOException {
    commit(
        "m-Q4_K_M.gguf",
        "m-UD-Q4_K_M.gguf",
        "Q8_0/m-Q8_0-00001-of-00002.gguf",
        "Q8_0/m-Q8_0-00002-of-00002.gguf",
        "mmproj-F16.gguf",
        "imatrix.gguf",
        "README.md");
    fetches(NAME, "m-Q4_K_M.gguf", "m-Q4_K_M.gguf");
    String split = "Q8_0/m-Q8_0-00001-of-00002.gguf";
    fetches(NAME + ":q8_0", split, "m-Q4_K_M.gguf", split, "Q8_0/m-Q8_0-00002-of-00002.gguf");
    fetches(
        NAME + ":UD-Q4_K_M",
        "m-UD-Q4_K_M.gguf",
        "m-Q4_K_M.gguf",
        "m-UD-Q4_K_M.gguf",
        split,
        "Q8_0/m-Q8_0-00002-of-00002.gguf");
    String message = refusal(NAME + ":Q5_K_M");
    for (String part : List.of("Q4_K_M (", "UD-Q4_K_M (", "Q8_0 (", NAME + ":Q8_0")) {
      assertTrue(message.contains(part), message);
    }
    assertTrue(refusal(NAME + ":m-Q5_K_M.gguf").contains("m-Q4_K_M.gguf ("));
  }

  @Test
  void severalCheckpointsWithoutAnOrderAreNamed() throws IOException {
    commit("sam_vit_b.pth", "sam_vit_h.pth", "optimizer.pt");
    assertTrue(refusal(NAME).contains("sam_vit_b.pth ("), refusal(NAME));
    fetches(NAME + ":sam_vit_b.pth", "sam_vit_b.pth", "sam_vit_b.pth");
    commit("README.md", "model.onnx");
    assertTrue(refusal(NAME).contains("no weights that Gatun reads"), refusal(NAME));
  }

  @Test
  void whatTheDiskHasNoRoomForIsRefused() {
    commit("m-Q4_0.gguf");
    hub.claimedSize = 1L << 60;
    String message = refusal(NAME);
    assertTrue(message.contains("free") && message.contains("HF_HUB_CACHE"), message);
  }
}
