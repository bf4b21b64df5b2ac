package io.gatun.loaders.hub;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// Which files of a repository are needed: a model's weights in one form, its configuration and its
/// tokenizer; not the same weights in other forms, and nothing for other programs.
///
/// @param small what stands beside weights
/// @param weights in the order of their names
/// @param open what of them is opened: a path, or the empty text for the whole folder
record FileChoice(SequencedSet<String> small, SequencedSet<String> weights, String open) {
  /// In the order in which a checkpoint's folder is searched.
  private static final List<String> WEIGHTS =
      List.of(
          "model.safetensors",
          "model.safetensors.index.json",
          "diffusion_pytorch_model.safetensors",
          "diffusion_pytorch_model.safetensors.index.json",
          "consolidated.safetensors",
          "pytorch_model.bin",
          "pytorch_model.bin.index.json",
          "diffusion_pytorch_model.bin",
          "consolidated.00.pth");

  private static final Pattern COMPANION =
      Pattern.compile(
          "(generation_|scheduler_|sentence_bert_|adapter_)?config\\.json|params\\.json"
              + "|config_sentence_transformers\\.json|modules\\.json"
              + "|tokenizer(_config)?\\.(json|model|bin)|tokenizer\\.model\\.v\\d"
              + "|vocab\\.(json|txt)|merges\\.txt|special_tokens_map\\.json|added_tokens\\.json"
              + "|chat_template\\.(jinja|json)|additional_chat_templates/.*\\.jinja");

  /// Of which a model of texts has one.
  private static final Set<String> TOKENIZERS =
      Set.of("tokenizer.json", "tokenizer.model", "tokenizer.bin", "vocab.json", "vocab.txt");

  private static final Pattern LOOSE = Pattern.compile("[^/]*\\.(safetensors|pth|pt|bin|ckpt)");
  private static final Pattern WEIGHTS_FILE =
      Pattern.compile(".*\\.(safetensors|gguf|pth|pt|bin|ckpt)");
  private static final Pattern FILE =
      Pattern.compile(".*\\.(safetensors|gguf|pth|pt|bin|ckpt|json|model|txt)");

  /// What training leaves beside a model.
  private static final Pattern NO_MODEL =
      Pattern.compile("(training_args|optimizer|scheduler|scaler|rng_state.*)\\.(bin|pt|pth)");

  /// Parts of pipelines that change no image.
  private static final Set<String> UNUSED_PARTS =
      Set.of("safety_checker", "feature_extractor", "image_encoder");

  /// A repository as far as a choice needs it.
  interface Source {
    /// All files that are there, by path, with their sizes.
    SequencedMap<String, Long> files();

    /// A file's contents.
    JsonNode read(String path);

    /// To be thrown where a file is named that is not there.
    CheckpointException missing(String path, String namedBy);
  }

  /// @throws CheckpointException if nothing fits the name, or too much does
  static FileChoice of(HubName name, Source source) {
    return new Chooser(name, source).choose();
  }

  /// Whether a file has weights, as its name tells.
  static boolean isWeights(String path) {
    return WEIGHTS_FILE.matcher(path).matches();
  }

  /// Whether there is a tokenizer among the files of a folder.
  boolean hasTokenizer() {
    return small.stream().anyMatch(TOKENIZERS::contains);
  }

  /// Whether it is a folder as transformers writes it, which mostly has a tokenizer.
  boolean isFolderOfTransformers() {
    return open.isEmpty() && small.contains("config.json");
  }

  private static final class Chooser {
    private final HubName name;
    private final Source source;
    private final SequencedMap<String, Long> files;
    private final SequencedSet<String> small = new LinkedHashSet<>();
    private final SequencedSet<String> weights = new LinkedHashSet<>();

    Chooser(HubName name, Source source) {
      this.name = name;
      this.source = source;
      files = source.files();
    }

    FileChoice choose() {
      String selector = name.selector();
      if (selector != null && files.containsKey(selector)) {
        return file(selector);
      }
      if (selector != null && FILE.matcher(selector).matches()) {
        throw noSuchFile(selector);
      }
      if (files.containsKey("model_index.json")) {
        return pipeline(selector);
      }
      if (selector == null) {
        for (String weight : WEIGHTS) {
          if (files.containsKey(weight)) {
            addWeights(weight);
            companions("");
            return done("");
          }
        }
      }
      var quants = GgufFiles.in(files);
      if (quants.isEmpty() && selector == null) {
        return file(onlyLoose());
      }
      if (quants.isEmpty()) {
        throw new CheckpointException(
            "%s: has no GGUF files, of which \"%s\" would be one; name the repository alone, or a file of it: %s"
                .formatted(name.repository(), selector, loose()));
      }
      var chosen = GgufFiles.choose(name, quants);
      weights.addAll(chosen.files());
      return done(chosen.files().getFirst());
    }

    private FileChoice done(String open) {
      weights.forEach(small::remove);
      return new FileChoice(small, weights, open);
    }

    /// One file, with what it needs.
    private FileChoice file(String file) {
      var parts = GgufFiles.partsOf(file, files);
      if (parts.size() > 1) {
        weights.addAll(parts);
        return done(parts.getFirst());
      }
      addWeights(file);
      if (!file.endsWith(".gguf")) {
        companions(file.substring(0, file.lastIndexOf('/') + 1));
      }
      return done(file);
    }

    /// Weights, and if it is an index, the files that it names.
    private void addWeights(String file) {
      if (!file.endsWith(".index.json")) {
        weights.add(require(file, name.repository()));
        return;
      }
      small.add(file);
      String folder = file.substring(0, file.lastIndexOf('/') + 1);
      var shards = new TreeSet<String>();
      source.read(file).path("weight_map").forEach(shard -> shards.add(shard.asText()));
      for (String shard : shards) {
        weights.add(require(folder + shard, file));
      }
      if (shards.isEmpty()) {
        throw new CheckpointException("%s: %s names no weights".formatted(name.repository(), file));
      }
    }

    private String require(String file, String namedBy) {
      if (!files.containsKey(file)) {
        throw source.missing(file, namedBy);
      }
      return file;
    }

    private void companions(String folder) {
      for (String file : files.keySet()) {
        if (file.startsWith(folder)
            && COMPANION.matcher(file.substring(folder.length())).matches()) {
          small.add(file);
        }
      }
      if (files.containsKey(folder + "modules.json")) {
        modules(folder);
      }
    }

    /// What sentence-transformers puts behind the network.
    private void modules(String folder) {
      for (JsonNode module : source.read(folder + "modules.json")) {
        String path = module.path("path").asText();
        String config = folder + path + "/config.json";
        if (!path.isEmpty() && files.containsKey(config)) {
          small.add(config);
          WEIGHTS.stream()
              .map(weight -> folder + path + "/" + weight)
              .filter(files::containsKey)
              .findFirst()
              .ifPresent(this::addWeights);
        }
      }
    }

    /// A text-to-image pipeline.
    ///
    /// @param variant null for the smallest that Gatun knows: fp16 where there is one
    private FileChoice pipeline(String variant) {
      small.add("model_index.json");
      boolean found = variant == null;
      for (var part : source.read("model_index.json").properties()) {
        String folder = part.getKey() + "/";
        if (!part.getValue().path(1).isTextual() || UNUSED_PARTS.contains(part.getKey())) {
          continue;
        }
        companions(folder);
        if (small.stream().noneMatch(file -> file.startsWith(folder))) {
          throw source.missing(folder, "model_index.json");
        }
        found |= partWeights(folder, variant);
      }
      if (!found) {
        throw new CheckpointException(
            "%s: is a text-to-image pipeline without files of a variant \"%s\"; leave it out, or name a file"
                .formatted(name.repository(), variant));
      }
      return done("");
    }

    /// Whether the variant was found.
    private boolean partWeights(String folder, String variant) {
      for (String base : List.of("diffusion_pytorch_model", "model")) {
        String single =
            "%s%s.%s.safetensors".formatted(folder, base, variant == null ? "fp16" : variant);
        if (files.containsKey(single)) {
          addWeights(single);
          return true;
        }
      }
      for (String weight : WEIGHTS) {
        if (files.containsKey(folder + weight)) {
          addWeights(folder + weight);
          return false;
        }
      }
      // Models have a config.json; tokenizers and schedulers have no weights.
      if (small.contains(folder + "config.json")) {
        throw source.missing(folder + "model.safetensors", "model_index.json");
      }
      return false;
    }

    private List<String> loose() {
      return files.keySet().stream()
          .filter(file -> LOOSE.matcher(file).matches() && !NO_MODEL.matcher(file).matches())
          .toList();
    }

    private String onlyLoose() {
      var found = loose();
      var best = found.stream().filter(file -> file.endsWith(".safetensors")).toList();
      var usable = best.isEmpty() ? found : best;
      if (usable.size() == 1) {
        return usable.getFirst();
      }
      throw new CheckpointException(
          usable.isEmpty()
              ? "%s: has no weights that Gatun reads (safetensors, GGUF, PyTorch)%s"
                  .formatted(name.repository(), examples())
              : "%s: has several checkpoints; name one of them, as in %s: %s"
                  .formatted(name.repository(), name.select(usable.getFirst()), listed(usable)));
    }

    private String examples() {
      return files.isEmpty() ? "; it is empty" : "; it has " + listed(List.copyOf(files.keySet()));
    }

    private CheckpointException noSuchFile(String file) {
      String ending = file.substring(file.lastIndexOf('.'));
      var same = new ArrayList<>(files.keySet());
      same.removeIf(other -> !other.endsWith(ending));
      return new CheckpointException(
          "%s: has no file \"%s\"; it has %s"
              .formatted(
                  name.repository(),
                  file,
                  listed(same.isEmpty() ? List.copyOf(files.keySet()) : same)));
    }

    private String listed(List<String> paths) {
      int most = 20;
      var shown = new ArrayList<String>();
      paths.stream()
          .limit(most)
          .forEach(path -> shown.add("%s (%s)".formatted(path, Sizes.of(files.get(path)))));
      return String.join(", ", shown)
          + (paths.size() > most ? " and %d more".formatted(paths.size() - most) : "");
    }
  }
}
