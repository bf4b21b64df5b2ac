package io.gatun.tools;

import io.gatun.models.Pretrained;
import io.gatun.server.Server;
import io.gatun.server.ServerOptions;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.options.LoraOptions;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.search.SearchModule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/// What only `gatun serve` loads.
final class Serving {
  /// How long answers may go on that are being written when the server is told to end.
  private static final Duration DRAIN = Duration.ofSeconds(30);

  private Serving() {}

  static int run(Serve asked) throws IOException, InterruptedException {
    var err = asked.spec.commandLine().getErr();
    var told = new CountDownLatch(1);
    var interrupts = Interrupts.of(asked.spec);
    interrupts.stopBy(told::countDown);
    try (var server =
        Server.start(
            o -> {
              choose(asked, o);
              o.notices(
                  line -> {
                    err.println(line);
                    err.flush();
                  });
            })) {
      server.preload();
      err.println("listening at " + server.uri());
      err.flush();
      told.await();
      err.println("waiting for answers that are being written; a second signal ends them");
      err.flush();
      server.drain(DRAIN);
    }
    return interrupts.code();
  }

  private static void choose(Serve asked, ServerOptions o) {
    for (String model : asked.models) {
      int equals = model.indexOf('=');
      if (equals > 0 && !Files.exists(Path.of(model))) {
        o.model(
            model.substring(0, equals),
            ModelNames.find(asked.spec, Path.of(model.substring(equals + 1))));
      } else {
        o.model(ModelNames.find(asked.spec, Path.of(model)));
      }
    }
    if (asked.models.isEmpty() && asked.folder == null) {
      o.model(Pretrained.path("tiny-llm"));
    }
    if (asked.context != null) {
      o.context(asked.context);
    }
    if (asked.keyFile != null) {
      keys(asked.keyFile, o);
    }
    if (asked.guesses.draft() != null) {
      o.draft(ModelNames.find(asked.spec, asked.guesses.draft()));
    }
    for (String lora : asked.loras) {
      int equals = lora.indexOf('=');
      boolean isNamed = equals > 0 && !Files.exists(Path.of(lora));
      LoraOptions.adaptations(asked.spec, List.of(isNamed ? lora.substring(equals + 1) : lora))
          .forEach(
              (file, scale) -> o.lora(isNamed ? lora.substring(0, equals) : null, file, scale));
    }
    if (asked.index != null) {
      SearchModule.hush();
      o.index(asked.index);
    }
    if (asked.embedder != null) {
      o.embedder(ModelNames.find(asked.spec, asked.embedder));
    }
    if (asked.labelStudio != null) {
      o.labelStudio(asked.labelStudio, System.getenv("LABEL_STUDIO_API_KEY"));
    }
    asked.hostNames.forEach(o::hostName);
    asked.origins.forEach(o::origin);
    o.folder(asked.folder)
        .host(asked.host)
        .port(asked.port)
        .open(asked.open)
        .parallel(asked.parallel)
        .queue(asked.queue)
        .kv(asked.kv)
        .kvMemory(asked.kvMemory)
        .memory(asked.memory == null ? fourFifths() : asked.memory)
        .threads(asked.threads.count())
        .pack(asked.pack.isAuto())
        .batchInvariant(asked.batchInvariant)
        .lookup(asked.guesses.lookup())
        .timeout(Duration.ofSeconds(asked.timeout));
  }

  private static long fourFifths() {
    long all = Machine.memoryTotal();
    return all == 0 ? Long.MAX_VALUE : all / 5 * 4;
  }

  private static void keys(Path file, ServerOptions o) {
    try {
      var keys = Files.readAllLines(file).stream().map(String::strip).filter(k -> !k.isEmpty());
      var all = keys.toList();
      if (all.isEmpty()) {
        throw new IllegalArgumentException(file + ": holds no key; write one on a line of its own");
      }
      all.forEach(o::apiKey);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
