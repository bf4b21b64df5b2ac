package io.gatun.tools.models;

import io.gatun.loaders.hub.Hub;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.PullProgress;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun pull`: a model from the hub.
@Command(
    name = "pull",
    description = {
      "Fetch a model from the Hugging Face hub, or what has changed of it.",
      "",
      "It goes into the cache that Hugging Face's own library and llama.cpp use too"
          + " (~/.cache/huggingface/hub), and only what Gatun needs. A download that was ended goes"
          + " on from where it was. The same name, wherever --model takes a path, finds the model"
          + " there.",
      "",
      "The environment says what it does elsewhere: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN,"
          + " HF_HUB_OFFLINE, HTTPS_PROXY, NO_PROXY."
    },
    sortOptions = false)
public final class Pull implements Runnable {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "ORG/MODEL[@REV][:WHAT]",
      description =
          "The model, of a branch, a tag or a commit if it is not main. Of several GGUF files WHAT"
              + " is the quantization (Q4_K_M if it is left out); or it is a file, or a variant of"
              + " a pipeline (fp16 if there is one).")
  private String name;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    Path path;
    try (var progress = new PullProgress(spec)) {
      path = Hub.pull(name, o -> o.progress(progress));
    }
    var out = spec.commandLine().getOut();
    if (json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("name", name);
      map.put("path", path.toString());
      out.println(Json.of(map));
    } else {
      out.println(path);
    }
    out.flush();
  }
}
