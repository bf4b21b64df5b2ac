package io.gatun.tools;

import io.gatun.models.ImageSettings;
import io.gatun.models.Imagined;
import io.gatun.models.image.Image;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun imagine`: makes images of a prompt.
@Command(
    name = "imagine",
    description = "Make an image from a text with Stable Diffusion.",
    sortOptions = false)
final class Imagine implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "PROMPT",
      description = "What to draw; an empty text leaves that to the model.")
  private String prompt;

  @Mixin private TextOptions text;

  @Mixin private DiffusionModelOptions model;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "FILE",
      description =
          "The .png or .jpg file to write (default: gatun-SEED.png); of several images FILE-1.png,"
              + " FILE-2.png, and so on. A PNG file carries the parameters that it was made with.")
  private Path out;

  @Mixin private ImagineMixin how;

  @Mixin
  private RemoteOptions remote =
      new RemoteOptions(
          "--prompt",
          "--file",
          "--out",
          "--negative",
          "--steps",
          "--guidance",
          "--seed",
          "--width",
          "--height",
          "--batch",
          "--scheduler",
          "--strength",
          "--rng",
          "--weighted",
          "--clip-skip",
          "--vae-tiling",
          "--init-image",
          "--mask",
          "--json",
          "--quiet");

  @Mixin private PictureOptions pictures;

  @Option(
      names = "--from",
      paramLabel = "FILE.png",
      description =
          "Make an image again with the parameters in its file; options given beside it count"
              + " more.")
  private Path from;

  @Option(
      names = "--json",
      description = "Print JSON: for each image its file, size, seed and all parameters.")
  private boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "Print no progress and no figures.")
  private boolean quiet;

  @Override
  public Integer call() {
    boolean there = remote.isGiven();
    var remade = from == null ? null : new FromImage(spec, from);
    String wanted = prompt(remade);
    if (how.hasStrength() && pictures.initImage() == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--strength says how far the result may be from --init-image; give that, too");
    }
    checkOut();
    pictures.read();
    if (there) {
      return askServer(wanted);
    }
    if (remade != null) {
      remade.checkImages(pictures);
    }
    long began = System.nanoTime();
    try (var sd = model.load(remade)) {
      double loaded = (System.nanoTime() - began) / 1e9;
      Imagined made;
      var interrupts = Interrupts.of(spec);
      try (var progress = progress(interrupts)) {
        made =
            sd.imagine(
                wanted,
                o -> {
                  if (remade != null) {
                    ImageSettings.read(remade.parameters(), o);
                  }
                  how.apply(o);
                  pictures.apply(o, remade == null ? null : remade.parameters());
                  o.onStep(progress);
                });
      } catch (CancellationException e) {
        spec.commandLine().getErr().println("gatun imagine: " + e.getMessage());
        return interrupts.code();
      }
      write(made);
      if (!quiet) {
        spec.commandLine().getErr().println(figures(made, loaded));
      }
      return 0;
    }
  }

  private StepProgress progress(Interrupts interrupts) {
    return new StepProgress(
        spec.commandLine().getErr(), interrupts, !quiet && Stdio.of(spec).isInteractive());
  }

  private Integer askServer(String wanted) {
    if (pictures.painted() != null && pictures.initImage() == null) {
      throw new ParameterException(
          spec.commandLine(), "--mask says where to paint --init-image anew; give that, too");
    }
    var body = RemoteServer.body().put("model", remote.model()).put("prompt", wanted);
    how.tell(body);
    var interrupts = Interrupts.of(spec);
    try (var server = remote.open();
        var progress = progress(interrupts)) {
      interrupts.stopBy(Thread.currentThread()::interrupt);
      write(RemoteImages.make(server, body, pictures.initImage(), pictures.painted(), progress));
      return 0;
    } catch (CancellationException e) {
      spec.commandLine().getErr().println("gatun imagine: " + e.getMessage());
      return interrupts.code();
    }
  }

  private String prompt(FromImage remade) {
    if (prompt != null && text.isGiven()) {
      throw new ParameterException(
          spec.commandLine(), "Give the prompt once: as PROMPT, with --prompt or with --file");
    }
    if (prompt != null) {
      return prompt;
    }
    if (remade != null && !text.isGiven()) {
      return remade.parameters().prompt();
    }
    String read = text.read();
    if (read == null || (read.isBlank() && !text.isGiven())) {
      throw new ParameterException(spec.commandLine(), "Give a prompt, or --from an image");
    }
    return text.isTyped() ? read : read.strip();
  }

  private void checkOut() {
    var command = spec.commandLine();
    if (out != null) {
      OutputFiles.checkFile(command, "--out", out, ".png", ".jpg", ".jpeg");
    } else {
      OutputFiles.checkFolderOf(command, "--out", Path.of("gatun.png"));
    }
  }

  private void write(Imagined made) {
    var out = spec.commandLine().getOut();
    var written = new ArrayList<Map<String, Object>>();
    for (int i = 0; i < made.images().size(); i++) {
      Path file = file(made, i);
      made.write(i, file);
      Image image = made.images().get(i);
      String seed = made.parameters().get(i).settings().get("Seed");
      if (!json) {
        out.println("%s: %d x %d, seed %s".formatted(file, image.width(), image.height(), seed));
      }
      var map = new LinkedHashMap<String, Object>();
      map.put("file", file.toString());
      map.put("width", image.width());
      map.put("height", image.height());
      map.put("seed", Long.valueOf(seed));
      map.put("parameters", made.parameters().get(i).format());
      written.add(map);
    }
    if (json) {
      out.println(Json.of(written));
    }
    out.flush();
  }

  private Path file(Imagined made, int i) {
    if (out == null) {
      return Path.of("gatun-" + made.parameters().get(i).settings().get("Seed") + ".png");
    }
    if (made.images().size() == 1) {
      return out;
    }
    String name = out.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return out.resolveSibling(name.substring(0, dot) + "-" + (i + 1) + name.substring(dot));
  }

  static String figures(Imagined made, double loaded) {
    return String.format(
        Locale.ROOT,
        "[loaded in %.2f s; text %.2f s; %d steps of %.3f s; decoded in %.2f s]",
        loaded,
        made.textSeconds(),
        made.stepSeconds().length,
        Arrays.stream(made.stepSeconds()).average().orElse(0),
        made.decodeSeconds());
  }
}
