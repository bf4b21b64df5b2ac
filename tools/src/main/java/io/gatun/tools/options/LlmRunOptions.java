package io.gatun.tools.options;

import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.nio.file.Path;
import java.util.function.Consumer;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// How language models are run, whichever they are.
public final class LlmRunOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Mixin private RunOptions run;

  @Option(
      names = "--precision",
      paramLabel = "fast|f32",
      defaultValue = "fast",
      description =
          "fast may round activations to the weights' precision; f32 does not (default:"
              + " ${DEFAULT-VALUE}).")
  private Precision precision;

  @Option(
      names = "--kv",
      paramLabel = "f16|bf16|f32|int8",
      defaultValue = "f16",
      description =
          "Type of the key/value cache (default: ${DEFAULT-VALUE}). int8, with a scale for each key"
              + " and value of a head, takes half the memory of f16 and is read faster in long"
              + " contexts.")
  private DType.Plain kv;

  @Option(
      names = {"-c", "--context"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Most tokens that the model looks at together (default: its own limit).")
  private Integer context;

  @Mixin private LoraOptions loras;

  @Mixin private PackOptions pack;

  /// The length that was asked for; null for the models' own.
  public Integer context() {
    return context;
  }

  int threads() {
    return run.threads();
  }

  /// Threads and workspace for several models, which share them.
  public Ops ops() {
    return new Ops(run.backend(), run.threads(), precision);
  }

  /// A model that computes by itself.
  Llm load(Path model, Path tokenizer) {
    return load(
        model,
        o ->
            o.backend(run.backend())
                .threads(run.threads())
                .precision(precision)
                .tokenizer(tokenizer));
  }

  /// A model that shares what [#ops()] made.
  public Llm load(Path model, Ops shared) {
    return load(model, o -> o.ops(shared));
  }

  private Llm load(Path model, Consumer<LlmOptions> how) {
    var llm =
        Llm.load(
            model,
            o -> {
              how.accept(o);
              o.pack(pack.isAuto()).notices(command.commandLine().getErr()::println);
              if (pack.limit() > 0) {
                o.cacheLimit(pack.limit());
              }
              o.loadMode(run.load()).kv(kv).force(run.force());
              loras.adaptations().forEach(o::lora);
              if (context != null) {
                o.context(context);
              }
            });
    int limit = llm.model().config().maxPositionEmbeddings();
    if (llm.contextLimit() > limit) {
      command
          .commandLine()
          .getErr()
          .printf(
              "gatun: warning: --context %d is more than the %d tokens that the model was made for;"
                  + " what it writes beyond them may make no sense.%n",
              context, limit);
    }
    return llm;
  }
}
