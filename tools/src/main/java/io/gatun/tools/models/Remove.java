package io.gatun.tools.models;

import io.gatun.loaders.hub.Hub;
import io.gatun.loaders.hub.OllamaStore;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Units;
import java.util.LinkedHashMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun rm`: frees the disk of a model.
@Command(
    name = "rm",
    description = {
      "Remove a model that was fetched from the hub; other programs do not find it there any more,"
          + " either.",
      "",
      "ORG/MODEL removes all of it; ORG/MODEL:QUANT, ORG/MODEL:FILE or ORG/MODEL@REVISION what no"
          + " other revision has."
    },
    sortOptions = false)
public final class Remove implements Runnable {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "ORG/MODEL[@REV][:WHAT]", description = "A name that gatun list shows.")
  private String name;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    if (name.startsWith(OllamaStore.PREFIX)) {
      throw new ParameterException(
          spec.commandLine(),
          "Ollama's models are its own; remove this one with: ollama rm "
              + name.substring(OllamaStore.PREFIX.length()));
    }
    long freed = Hub.remove(name, o -> {});
    var out = spec.commandLine().getOut();
    if (json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("removed", name);
      map.put("bytes", freed);
      out.println(Json.of(map));
    } else {
      out.printf("removed %s: freed %s%n", name, Units.bytes(freed));
    }
    out.flush();
  }
}
