package io.gatun.tools.imagine;

import io.gatun.models.ImageSettings;
import io.gatun.models.SourceFile;
import io.gatun.models.SourceFile.Kind;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/// An image that is to be made again from the parameters in its file. They name files but open
/// none: whoever wrote them would choose what this machine reads. Options give the files; that each
/// is there, and is the one, is checked here.
final class FromImage {
  private final CommandSpec spec;
  private final Path image;
  private final ImageParameters parameters;
  private final List<SourceFile> files;

  FromImage(CommandSpec spec, Path image) {
    this.spec = spec;
    this.image = image;
    String text = Image.readText(image).get(ImageParameters.KEYWORD);
    if (text == null) {
      throw refuse("carries no parameters; images made by gatun imagine do, as PNG files");
    }
    parameters = ImageParameters.parse(text);
    files = ImageSettings.files(parameters);
  }

  ImageParameters parameters() {
    return parameters;
  }

  void checkModel(
      Path model,
      Path network,
      List<Path> textEncoders,
      Path vae,
      Collection<Path> loras,
      List<Path> controlNets,
      List<Path> embeddings) {
    for (SourceFile file : of(Kind.MODEL)) {
      if (!file.is(model)) {
        warn("was made with the model " + file + ", not " + model);
      }
    }
    for (SourceFile file : of(Kind.NETWORK)) {
      if (network == null) {
        throw refuse("was made with another network, %s; name it with --network".formatted(file));
      } else if (!file.is(network)) {
        warn("was made with the network " + file + ", not " + network);
      }
    }
    for (SourceFile file : of(Kind.TEXT_ENCODER)) {
      if (textEncoders.stream().noneMatch(file::is)) {
        warn("was made with the text encoder %s, which is not given".formatted(file));
      }
    }
    for (SourceFile file : of(Kind.VAE)) {
      if (vae == null) {
        throw refuse("was made with another autoencoder, %s; name it with --vae".formatted(file));
      } else if (!file.is(vae)) {
        warn("was made with the autoencoder " + file + ", not " + vae);
      }
    }
    for (SourceFile word : of(Kind.EMBEDDING)) {
      if (embeddings.stream().noneMatch(word::is)) {
        throw refuse("was made with a taught word, %s; name it with --embedding".formatted(word));
      }
    }
    var nets = of(Kind.CONTROLNET);
    if (nets.size() > controlNets.size()) {
      throw refuse("was made with ControlNets; give --controlnet for each: " + nets);
    }
    for (int i = 0; i < nets.size(); i++) {
      if (!nets.get(i).is(controlNets.get(i))) {
        warn("was made with the ControlNet %s, not %s".formatted(nets.get(i), controlNets.get(i)));
      }
    }
    var missing = new ArrayList<>(of(Kind.LORA));
    missing.removeIf(file -> loras.stream().anyMatch(file::is));
    if (!missing.isEmpty() && loras.isEmpty()) {
      throw refuse(
          "was made with adaptations; give "
              + missing.stream()
                  .map(f -> "--lora %s:%s %s".formatted(f.name(), f.scale(), hash(f)).strip())
                  .collect(Collectors.joining(", ")));
    }
    missing.forEach(file -> warn("was made with the adaptation " + file + ", which is not given"));
  }

  private static String hash(SourceFile file) {
    return file.hash().isEmpty() ? "" : "(sha256 " + file.hash() + ")";
  }

  void checkImages(PictureOptions pictures) {
    for (SourceFile file : of(Kind.INIT_IMAGE)) {
      check(file, pictures.start(), "another image", "--init-image");
    }
    for (SourceFile file : of(Kind.MASK)) {
      check(file, pictures.painted(), "a mask", "--mask");
    }
    checkAll(Kind.REFERENCE, pictures.references(), "a picture that the model saw", "--reference");
    checkAll(Kind.CONTROL_IMAGE, pictures.controls(), "what a ControlNet saw", "--control-image");
  }

  private void checkAll(Kind kind, List<Image> given, String what, String option) {
    var were = of(kind);
    for (int i = 0; i < were.size(); i++) {
      check(were.get(i), i < given.size() ? given.get(i) : null, what, option);
    }
  }

  private void check(SourceFile file, Image given, String what, String option) {
    if (given == null) {
      throw refuse("was made from %s; name that with %s".formatted(what, option));
    } else if (!file.is(given)) {
      warn("was made from " + what + " than " + option + " names");
    }
  }

  private List<SourceFile> of(Kind kind) {
    return files.stream().filter(f -> f.kind() == kind).toList();
  }

  private ParameterException refuse(String what) {
    return new ParameterException(spec.commandLine(), image + " " + what);
  }

  private void warn(String what) {
    spec.commandLine().getErr().println("gatun: warning: " + image + " " + what);
  }
}
