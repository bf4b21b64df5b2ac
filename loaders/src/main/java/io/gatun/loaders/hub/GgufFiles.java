package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The GGUF models of a repository: mostly one, in several quantizations, of which large ones lie
/// in several files.
///
/// @param quant as the files' names have it: `Q4_K_M`; empty where they have none
/// @param files in order
/// @param bytes of all of them
record GgufFiles(String quant, List<String> files, long bytes) {
  private static final Pattern SPLIT = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  /// Vision encoders and tables of importance, which go with models.
  private static final Pattern NO_MODEL = Pattern.compile("(?i).*(mmproj|imatrix).*");

  private static final Pattern QUANT =
      Pattern.compile(
          "(?i)(?<=^|[-._/])(?:UD-)?(?:I?Q\\d[0-9A-Z_]*|TQ\\d_\\d|BF16|F16|F32|FP16|FP32|MXFP4(?:_MOE)?|NVFP4)(?=[-._/]|$)");

  /// What most people want of several: the smallest that loses little.
  private static final List<String> PREFERRED =
      List.of(
          "Q4_K_M", "Q4_0", "Q4_K_S", "UD-Q4_K_XL", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F16", "F32");

  /// All models among the files.
  static List<GgufFiles> in(SequencedMap<String, Long> files) {
    var found = new ArrayList<GgufFiles>();
    for (String file : files.keySet()) {
      Matcher split = SPLIT.matcher(file);
      boolean isFirst = !split.matches() || Integer.parseInt(split.group(2)) == 1;
      if (file.endsWith(".gguf") && !NO_MODEL.matcher(file).matches() && isFirst) {
        var parts = partsOf(file, files);
        long bytes = parts.stream().mapToLong(part -> files.getOrDefault(part, 0L)).sum();
        found.add(new GgufFiles(quant(split.matches() ? split.group(1) : file), parts, bytes));
      }
    }
    return found;
  }

  /// A file, and the others if it is one of several, whether or not they are there.
  static List<String> partsOf(String file, Map<String, Long> files) {
    Matcher split = SPLIT.matcher(file);
    if (!split.matches()) {
      return List.of(file);
    }
    int count = Integer.parseInt(split.group(3));
    var parts = new ArrayList<String>();
    for (int i = 1; i <= Math.min(count, files.size() + 1); i++) {
      parts.add(
          String.format(Locale.ROOT, "%s-%05d-of-%s.gguf", split.group(1), i, split.group(3)));
    }
    return parts;
  }

  /// The last word of a path that is a quantization's.
  private static String quant(String path) {
    Matcher words = QUANT.matcher(path.replaceFirst("\\.gguf$", ""));
    String last = "";
    while (words.find()) {
      last = words.group();
    }
    return last.toUpperCase(Locale.ROOT);
  }

  /// The one that a name means.
  ///
  /// @throws CheckpointException if there is none, or several
  static GgufFiles choose(HubName name, List<GgufFiles> models) {
    String selector = name.selector();
    if (selector == null) {
      if (models.size() == 1) {
        return models.getFirst();
      }
      for (String quant : PREFERRED) {
        var found = of(quant, models);
        if (found.size() == 1) {
          return found.getFirst();
        }
      }
      throw new CheckpointException(
          "%s: has several models; name one of them, as in %s: %s"
              .formatted(name.repository(), example(name, models), listed(models)));
    }
    var found = of(selector, models);
    if (found.isEmpty()) {
      String word = selector.toLowerCase(Locale.ROOT);
      found =
          models.stream()
              .filter(m -> m.files.getFirst().toLowerCase(Locale.ROOT).contains(word))
              .toList();
    }
    if (found.size() == 1) {
      return found.getFirst();
    }
    throw new CheckpointException(
        found.isEmpty()
            ? "%s: has no \"%s\"; it has %s. Name one of them, as in %s"
                .formatted(name.repository(), selector, listed(models), example(name, models))
            : "%s: \"%s\" could be each of %s; name the file"
                .formatted(name.repository(), selector, files(found)));
  }

  private static List<GgufFiles> of(String quant, List<GgufFiles> models) {
    return models.stream().filter(m -> m.quant.equalsIgnoreCase(quant)).toList();
  }

  private static String example(HubName name, List<GgufFiles> models) {
    var first = models.getFirst();
    return name.select(first.quant.isEmpty() ? first.files.getFirst() : first.quant).toString();
  }

  private static String listed(List<GgufFiles> models) {
    var sizes = new LinkedHashMap<String, Long>();
    for (var model : models) {
      sizes.merge(
          model.quant.isEmpty() ? model.files.getFirst() : model.quant, model.bytes, Math::max);
    }
    return sizes.entrySet().stream()
        .map(e -> "%s (%s)".formatted(e.getKey(), Sizes.of(e.getValue())))
        .collect(Collectors.joining(", "));
  }

  private static String files(List<GgufFiles> models) {
    return models.stream().map(m -> m.files.getFirst()).collect(Collectors.joining(", "));
  }
}
