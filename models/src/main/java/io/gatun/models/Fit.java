package io.gatun.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.FreeMemory;
import io.gatun.tensor.sequence.CacheLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Whether a model fits into the memory that is free.
///
/// Weights are mapped, so they are page cache, which the system may give up: but each token reads
/// all of them, and what is given up comes from the disk again, a hundred times slower. So they
/// count in full. What is in the page cache already counts as free, too, and evens out.
///
/// @param weights bytes
/// @param work bytes for what is computed, and for the program itself: about
/// @param page bytes of keys and values of [CacheLayout#PAGE] tokens; 0 for other models
/// @param state bytes of a sequence, whatever its length
/// @param limit the longest context
/// @param perToken bytes of weights that are read for each token; 0 for other models
/// @param bits that a weight takes on average
/// @param free bytes
public record Fit(
    Path model,
    long weights,
    long work,
    long page,
    long state,
    int limit,
    long perToken,
    double bits,
    long free) {
  /// A context that most uses stay below, for models that have a longer one.
  private static final int USUAL_CONTEXT = 4096;

  /// Weights lie in a folder in several forms, of which one is read.
  private static final Pattern WEIGHTS =
      Pattern.compile(
          ".*?(\\.fp16|\\.non_ema|)(?:-\\d+-of-\\d+)?(\\.safetensors|\\.gguf|\\.pth|\\.pt|\\.bin|\\.ckpt|sha256.*)");

  /// The Java heap, compiled code, libraries, workspace.
  private static final long PROGRAM = 300L << 20;

  /// Of a language model.
  public static Fit of(Checkpoint checkpoint, Decoder decoder, DType.Plain kv) {
    var layout = decoder.layout(kv);
    long bytes = 0;
    long parameters = 0;
    for (Tensor t : checkpoint.tensors().values()) {
      bytes += t.byteSize();
      parameters += t.size();
    }
    return new Fit(
        checkpoint.path(),
        bytes,
        PROGRAM,
        layout.pageBytes(),
        layout.recurrentBytes(),
        decoder.config().maxPositionEmbeddings(),
        decoder.bytesPerToken(),
        8.0 * bytes / Math.max(1, parameters),
        FreeMemory.bytes());
  }

  /// Of another model, by its files.
  ///
  /// @param packing the most bytes that weights take a second time, in the form that products like
  public static Fit of(Path model, long packing) {
    return of(model, bytes(model), packing);
  }

  /// Of another model that is open.
  ///
  /// @param packing the most bytes that weights take a second time, in the form that products like
  public static Fit of(Checkpoint checkpoint, long packing) {
    long bytes = checkpoint.tensors().values().stream().mapToLong(Tensor::byteSize).sum();
    return of(checkpoint.path(), bytes, packing);
  }

  /// Of a model with parts from elsewhere.
  ///
  /// @param replaced names of folders whose weights are not read
  /// @param others files and folders that are read, too
  /// @param packing the most bytes that weights take a second time, in the form that products like
  static Fit of(Path model, Set<String> replaced, Collection<Path> others, long packing) {
    long bytes = bytes(model);
    for (String part : replaced) {
      bytes -= Files.isDirectory(model.resolve(part)) ? bytes(model.resolve(part)) : 0;
    }
    return of(model, bytes + others.stream().mapToLong(Fit::bytes).sum(), packing);
  }

  private static Fit of(Path model, long bytes, long packing) {
    return new Fit(
        model, bytes, PROGRAM + Math.min(packing, bytes), 0, 0, 0, 0, 0, FreeMemory.bytes());
  }

  private static long bytes(Path model) {
    try (Stream<Path> files = Files.walk(model)) {
      var folders = new HashMap<Path, Map<String, Long>>();
      for (Path file : files.toList()) {
        Matcher form = WEIGHTS.matcher(file.getFileName().toString());
        if (Files.isRegularFile(file) && form.matches()) {
          folders
              .computeIfAbsent(file.getParent(), _ -> new TreeMap<>())
              .merge(form.group(1) + form.group(2), Files.size(file), Long::sum);
        }
      }
      return folders.values().stream().mapToLong(Fit::read).sum();
    } catch (IOException e) {
      throw new CheckpointException(model + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /// The bytes of the form that is read: safetensors before others, and the smaller of two.
  private static long read(Map<String, Long> forms) {
    return forms.entrySet().stream()
        .filter(form -> form.getKey().endsWith(".safetensors"))
        .mapToLong(Map.Entry::getValue)
        .min()
        .orElse(Collections.max(forms.values()));
  }

  /// The context to plan with: what was asked for, or one that most uses stay below.
  public int context(Integer asked) {
    return asked != null ? asked : Math.min(USUAL_CONTEXT, limit);
  }

  /// Bytes that weights take a second time; 0 for language models.
  long packing() {
    return page == 0 ? work - PROGRAM : 0;
  }

  /// Bytes of a sequence of so many tokens.
  public long contextBytes(int context) {
    return state + Math.ceilDiv(context, CacheLayout.PAGE) * page;
  }

  /// Bytes of it all, with a sequence of so many tokens.
  public long needed(int context) {
    return weights + work + contextBytes(context);
  }

  /// Whether the system tells how much is free.
  public boolean isKnown() {
    return free < Long.MAX_VALUE;
  }

  /// Whether they are free.
  public boolean fits(int context) {
    return needed(context) <= free;
  }

  /// The longest context that fits, 0 if none does.
  public int longestContext() {
    long room = free - weights - work - state;
    if (room < 0 || page == 0) {
      return 0;
    }
    return (int) Math.min(limit, room / page * CacheLayout.PAGE);
  }

  /// Refuses a model that does not fit.
  ///
  /// @param asked the context that the user wants, or null
  /// @param force whether it runs all the same
  /// @throws DoesNotFitException with what would fit
  public void require(Integer asked, boolean force) {
    int context = context(asked);
    if (!force && !fits(context)) {
      throw new DoesNotFitException(
          "%s: does not fit into memory: %s of weights%s and about %s for the work make %s, and %s are free. %s"
              .formatted(
                  model,
                  size(weights),
                  page == 0
                      ? ""
                      : ", %s for a context of %d tokens"
                          .formatted(size(contextBytes(context)), context),
                  size(work),
                  size(needed(context)),
                  size(free),
                  remedy()));
    }
  }

  /// What would fit.
  public String remedy() {
    int longest = longestContext();
    if (longest > 0) {
      return "What fits is a context of at most %d tokens: --context %d, or --kv int8 for more"
          .formatted(longest, longest);
    }
    double most = bits * (free - work - state - page) / weights;
    return most >= 1
        ? String.format(
            Locale.ROOT,
            "What fits is the same model with %.1f bits for a weight, where these have %.1f: a"
                + " smaller quantization; or close other programs",
            most,
            bits)
        : "Choose a smaller model, or close other programs";
  }

  static String size(long bytes) {
    return bytes < 1 << 30
        ? String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20))
        : String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1 << 30));
  }
}
