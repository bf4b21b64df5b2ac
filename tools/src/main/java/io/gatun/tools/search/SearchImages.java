package io.gatun.tools.search;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ThreadsOption;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun search-images`: finds pictures. Only [SearchingImages] touches the search's module.
@Command(
    name = "search-images",
    description =
        "Find pictures in a folder by what they show, or by another picture. What has changed since"
            + " the last time is read first.",
    sortOptions = false)
public final class SearchImages implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "DIR",
      description =
          "The folder of the pictures, with all that is in it but hidden files: PNG, JPEG, BMP, GIF"
              + " and WebP.")
  Path folder;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "TEXT",
      description = "What the picture shows: \"a dog in the snow\".")
  String text;

  @Option(
      names = "--like",
      paramLabel = "IMAGE",
      description = "Find pictures like this one, instead of by a text.")
  Path like;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "CLIP: a folder or its name on the Hugging Face hub, such as"
              + " openai/clip-vit-base-patch32. Without it: the one that the index was made with.")
  Path model;

  @Option(
      names = "--pictures",
      paramLabel = "N",
      defaultValue = "10",
      converter = CountConverter.class,
      description = "Most pictures to print (default: ${DEFAULT-VALUE}).")
  int pictures;

  @Option(
      names = "--index",
      paramLabel = "DIR",
      description = "The index's folder (default: .gatun-images in the pictures' folder).")
  Path index;

  @Option(
      names = "--no-update",
      description = "Search in what was read before, and look for no changes.")
  boolean keep;

  @Mixin ThreadsOption threads;

  @Option(names = "--json", description = "Print JSON: the pictures, and what became of the files.")
  boolean json;

  @Override
  public Integer call() {
    if (text != null && like != null) {
      throw new ParameterException(
          spec.commandLine(), "A text and --like are given; pictures are found by one of them");
    }
    if (keep && text == null && like == null) {
      throw new ParameterException(
          spec.commandLine(), "--no-update is given, and neither a text nor --like to search for");
    }
    return SearchModule.use(spec, () -> SearchingImages.run(this));
  }
}
