package io.gatun.tools.imagine;

import io.gatun.models.ImageSettings;
import io.gatun.models.ImagineStep;
import io.gatun.models.Imagined;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.lora.AppliedLora;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageGrid;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Texts;
import io.gatun.tools.options.TextOptions;
import io.gatun.tools.remote.RemoteOptions;
import io.gatun.tools.remote.RemoteServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
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
public final class Imagine implements Callable<Integer> {
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
          "--image-guidance",
          "--guidance-interval",
          "--cache",
          "--spacing",
          "--text-tokens",
          "--hires",
          "--hires-strength",
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
      names = "--batch-file",
      paramLabel = "FILE",
      description =
          "Make an image for each line of JSON, such as {\"prompt\": \"a cat\", \"seed\": 7,"
              + " \"out\": \"cat.png\"} (also negative, steps, guidance, width, height, scheduler,"
              + " spacing); - is standard input. --out is then the folder; what is there already is"
              + " passed over, so that the command can be given again. The weights stay ready"
              + " between images.")
  private Path batchFile;

  @Option(
      names = "--preview",
      paramLabel = "FILE",
      description = "Write what the images look like by now to this .png or .jpg at each step.")
  private Path preview;

  @Option(
      names = "--grid",
      paramLabel = "FILE",
      description = "Write all images of a --batch side by side to this .png or .jpg, too.")
  private Path grid;

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
    if (batchFile != null) {
      return makeAll();
    }
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
                  o.onStep(shown(progress));
                });
      } catch (CancellationException e) {
        spec.commandLine().getErr().println("gatun imagine: " + e.getMessage());
        return interrupts.code();
      }
      write(made);
      if (grid != null) {
        ImageGrid.of(made.images()).write(grid);
      }
      if (!quiet) {
        var err = spec.commandLine().getErr();
        sd.loras().forEach(lora -> err.println(applied(lora)));
        err.println(figures(made, loaded));
      }
      return 0;
    }
  }

  /// Shows steps, and writes what there is by then.
  private Consumer<ImagineStep> shown(StepProgress progress) {
    return step -> {
      progress.accept(step);
      if (preview != null) {
        ImageGrid.of(step.preview()).write(preview);
      }
    };
  }

  /// Makes the images of --batch-file.
  private Integer makeAll() {
    var command = spec.commandLine();
    if (prompt != null || text.isGiven() || from != null || remote.isGiven() || grid != null) {
      throw new ParameterException(
          command,
          "--batch-file has the prompts itself; leave out PROMPT, --prompt, --file, --from,"
              + " --server and --grid");
    }
    if (how.isBatch()) {
      throw new ParameterException(
          command, "--batch-file makes an image for each line; leave out --batch");
    }
    Path folder = Texts.createFolder(out == null ? Path.of(".") : out);
    var jobs = new ImagineBatch(spec, folder).read(TextOptions.read(batchFile, spec));
    pictures.read();
    var interrupts = Interrupts.of(spec);
    int refused = 0;
    try (var sd = model.load(null, true);
        var progress = progress(interrupts)) {
      for (var job : jobs) {
        if (Files.exists(job.out())) {
          command.getErr().println("gatun imagine: " + job.out() + " is there already");
          continue;
        }
        try {
          write(made(sd, job, progress), job);
        } catch (IllegalArgumentException e) {
          command
              .getErr()
              .println("gatun imagine: line %d: %s".formatted(job.line(), e.getMessage()));
          refused++;
        }
      }
    } catch (CancellationException e) {
      command.getErr().println("gatun imagine: " + e.getMessage());
      return interrupts.code();
    }
    return refused == 0 ? 0 : 2;
  }

  private Imagined made(StableDiffusion sd, ImagineBatch.Job job, StepProgress progress) {
    return sd.imagine(
        job.prompt(),
        o -> {
          how.apply(o);
          pictures.apply(o, null);
          job.apply(o);
          o.onStep(shown(progress));
        });
  }

  private void write(Imagined made, ImagineBatch.Job job) {
    made.write(0, job.out());
    var to = spec.commandLine().getOut();
    if (json) {
      var map = described(made, 0, job.out());
      map.put("line", job.line());
      to.println(Json.line(map));
    } else {
      to.println(line(made, 0, job.out()));
    }
    to.flush();
  }

  private static String line(Imagined made, int i, Path file) {
    Image image = made.images().get(i);
    String seed = made.parameters().get(i).settings().get("Seed");
    return "%s: %d x %d, seed %s".formatted(file, image.width(), image.height(), seed);
  }

  private static Map<String, Object> described(Imagined made, int i, Path file) {
    Image image = made.images().get(i);
    var map = new LinkedHashMap<String, Object>();
    map.put("file", file.toString());
    map.put("width", image.width());
    map.put("height", image.height());
    map.put("seed", Long.valueOf(made.parameters().get(i).settings().get("Seed")));
    map.put("parameters", made.parameters().get(i).format());
    return map;
  }

  private StepProgress progress(Interrupts interrupts) {
    return new StepProgress(
        spec.commandLine().getErr(), interrupts, !quiet && Stdio.of(spec).isInteractive());
  }

  private Integer askServer(String wanted) {
    if (pictures.outpaints()) {
      throw new ParameterException(
          spec.commandLine(), "--outpaint is not for --server; give --init-image and --mask");
    }
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
    if (preview != null) {
      OutputFiles.checkFile(command, "--preview", preview, ".png", ".jpg", ".jpeg");
    }
    if (grid != null) {
      OutputFiles.checkFile(command, "--grid", grid, ".png", ".jpg", ".jpeg");
    }
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
      if (!json) {
        out.println(line(made, i, file));
      }
      written.add(described(made, i, file));
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

  private static String applied(AppliedLora lora) {
    return "[%s changed %d modules]".formatted(lora.file(), lora.applied().size());
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
