package io.gatun.tools;

import io.gatun.tensor.DType;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.DraftOptions;
import io.gatun.tools.options.PackOptions;
import io.gatun.tools.options.ThreadsOption;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun serve`: answers over HTTP. The server is a module of its own, which only [Serving]
/// touches.
@Command(
    name = "serve",
    description =
        "Serve models over HTTP, with the APIs of OpenAI and Ollama and a page to try it.",
    sortOptions = false)
final class Serve implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "[NAME=]PATH",
      description =
          "A model to serve, of any kind that Gatun runs, or its name on the Hugging Face hub; may"
              + " be given several times. The first is loaded at once, others when they are asked"
              + " for. Without it and --models: tiny-llm.")
  List<String> models = new ArrayList<>();

  @Option(
      names = "--models",
      paramLabel = "DIR",
      description = "Serve all models in a folder, each loaded when it is asked for.")
  Path folder;

  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      defaultValue = "127.0.0.1",
      description =
          "Address to listen at (default: ${DEFAULT-VALUE}, which only this machine reaches)."
              + " Another needs --api-key-file, or --open.")
  String host;

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "8080",
      description = "Port to listen at (default: ${DEFAULT-VALUE}; 0 takes any that is free).")
  int port;

  @Option(
      names = "--host-name",
      paramLabel = "NAME",
      description = "Another name that clients know this server by, beside its addresses.")
  List<String> hostNames = new ArrayList<>();

  @Option(
      names = "--origin",
      paramLabel = "URL",
      description =
          "Where pages that may ask come from, beside this server's own: https://chat.example.org"
              + " of a proxy before it.")
  List<String> origins = new ArrayList<>();

  @Option(
      names = "--api-key-file",
      paramLabel = "FILE",
      description = "Keys, one a line, of which requests need one.")
  Path keyFile;

  @Option(names = "--open", description = "Let everyone in who reaches --host, without a key.")
  boolean open;

  @Option(
      names = "--parallel",
      paramLabel = "N",
      defaultValue = "8",
      converter = CountConverter.class,
      description = "Most answers of a model that are written at once (default: ${DEFAULT-VALUE}).")
  int parallel;

  @Option(
      names = "--queue",
      paramLabel = "N",
      defaultValue = "64",
      converter = CountConverter.class,
      description = "Most requests that wait for a model (default: ${DEFAULT-VALUE}).")
  int queue;

  @Option(
      names = {"-c", "--context"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Most tokens of a prompt and its answer (default: the model's own limit).")
  Integer context;

  @Option(
      names = "--kv",
      paramLabel = "f16|bf16|f32|int8",
      defaultValue = "f16",
      description = "Type of the key/value cache (default: ${DEFAULT-VALUE}).")
  DType.Plain kv;

  @Option(
      names = "--kv-memory",
      paramLabel = "SIZE",
      defaultValue = "2G",
      converter = PackOptions.SizeConverter.class,
      description =
          "Memory of each language model's key/value cache, prefixes that are kept included"
              + " (default: ${DEFAULT-VALUE}).")
  long kvMemory;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = PackOptions.SizeConverter.class,
      description =
          "Memory of all models, caches included: the one that was not used for longest goes for"
              + " another (default: four fifths of the machine's).")
  Long memory;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      defaultValue = "600",
      converter = CountConverter.class,
      description = "Longest that an answer may take (default: ${DEFAULT-VALUE}).")
  int timeout;

  @Option(
      names = "--index",
      paramLabel = "DIR",
      description =
          "Documents to search in and to answer from: the folder of an index, or the one that gatun"
              + " index was given.")
  Path index;

  @Option(
      names = "--embedder",
      paramLabel = "PATH",
      description = "Where the embedder of the index lies now (default: where it was).")
  Path embedder;

  @Option(
      names = "--label-studio",
      paramLabel = "URL",
      description =
          "The Label Studio whose images may be fetched for it, with the access token in the"
              + " environment variable LABEL_STUDIO_API_KEY. No others ever are.")
  URI labelStudio;

  @Option(
      names = "--batch-invariant",
      description =
          "Answers with a seed are the same whatever else runs; costs speed (default: no).")
  boolean batchInvariant;

  @Option(
      names = "--lora",
      paramLabel = "[NAME=]FILE[:SCALE]",
      description =
          "Add a low-rank adaptation in PEFT's form to the model of a name, or to the first"
              + " language model: a directory, or a name on the Hugging Face hub; may be given"
              + " several times.")
  List<String> loras = new ArrayList<>();

  @Mixin ThreadsOption threads;

  @Mixin PackOptions pack;

  @Mixin DraftOptions guesses;

  @Override
  public Integer call() throws Exception {
    guesses.check();
    try {
      return Serving.run(this);
    } catch (NoClassDefFoundError e) {
      throw new ParameterException(
          spec.commandLine(),
          "The server's module is not loaded. Start it with tools/gatun serve, or with"
              + " --add-modules io.gatun.server.",
          e);
    }
  }
}
