package io.gatun.tools.models;

import io.gatun.loaders.hub.CachedModel;
import io.gatun.loaders.hub.Hub;
import io.gatun.loaders.hub.OllamaStore;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun list`: the models that are there by name.
@Command(
    name = "list",
    description = {
      "Show the models that were fetched from the hub, by whatever program, and those of Ollama.",
      "",
      "Each can be given to --model by its name."
    },
    sortOptions = false)
public final class ListModels implements Runnable {
  @Spec private CommandSpec spec;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    var models = new ArrayList<>(Hub.list(o -> {}));
    models.addAll(OllamaStore.list());
    var out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.of(models.stream().map(ListModels::json).toList()));
    } else if (models.isEmpty()) {
      spec.commandLine().getErr().println("no models; fetch one with: gatun pull ORG/MODEL");
    } else {
      var table = new Table("lrl");
      for (var model : models) {
        table.row(model.name(), Units.bytes(model.bytes()), model.isWhole() ? "" : "not whole");
      }
      out.print(table);
    }
    out.flush();
  }

  private static Map<String, Object> json(CachedModel model) {
    var map = new LinkedHashMap<String, Object>();
    map.put("name", model.name());
    map.put("bytes", model.bytes());
    map.put("changed", model.changed().toString());
    map.put("path", model.path().toString());
    map.put("whole", model.isWhole());
    return map;
  }
}
