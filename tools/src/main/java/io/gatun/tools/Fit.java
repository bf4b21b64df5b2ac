package io.gatun.tools;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.FreeMemory;
import io.gatun.tensor.sequence.CacheLayout;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
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
record Fit(
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

  /// The Java heap, compiled code, libraries, workspace.
  private static final long PROGRAM = 300L << 20;

  /// Parts of the bandwidth that decoding mostly gets.
  private static final double LOW_SHARE = 0.55;

  private static final double HIGH_SHARE = 0.7;

  /// Of a language model.
  static Fit of(Checkpoint checkpoint, Decoder decoder, DType.Plain kv) {
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
  static Fit of(Path model, long packing) {
    long bytes = bytes(model);
    return new Fit(
        model, bytes, PROGRAM + Math.min(packing, bytes), 0, 0, 0, 0, 0, FreeMemory.bytes());
  }

  private static long bytes(Path model) {
    try (Stream<Path> files = Files.walk(model)) {
      long bytes = 0;
      for (Path file : files.toList()) {
        if (Files.isRegularFile(file)
            && file.toString().matches(".*\\.(safetensors|gguf|pth|pt|bin|ckpt)|.*sha256.*")) {
          bytes += Files.size(file);
        }
      }
      return bytes;
    } catch (IOException e) {
      throw new CheckpointException(model + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /// The context to plan with: what was asked for, or one that most uses stay below.
  int context(Integer asked) {
    return asked != null ? asked : Math.min(USUAL_CONTEXT, limit);
  }

  long contextBytes(int context) {
    return state + Math.ceilDiv(context, CacheLayout.PAGE) * page;
  }

  long needed(int context) {
    return weights + work + contextBytes(context);
  }

  private boolean isKnown() {
    return free < Long.MAX_VALUE;
  }

  boolean fits(int context) {
    return needed(context) <= free;
  }

  /// The longest context that fits, 0 if none does.
  int longestContext() {
    long room = free - weights - work - state;
    if (room < 0 || page == 0) {
      return 0;
    }
    return (int) Math.min(limit, room / page * CacheLayout.PAGE);
  }

  /// Refuses a model that does not fit.
  ///
  /// @param asked the context that the user wants, or null
  /// @throws CheckpointException with what would fit
  void require(Integer asked, boolean force) {
    int context = context(asked);
    if (!force && !fits(context)) {
      throw new CheckpointException(
          "%s: does not fit into memory: %s of weights%s and about %s for the work make %s, and %s are free. %s. With --force it runs all the same, as slowly as the disk is"
              .formatted(
                  model,
                  Units.bytes(weights),
                  page == 0
                      ? ""
                      : ", %s for a context of %d tokens"
                          .formatted(Units.bytes(contextBytes(context)), context),
                  Units.bytes(work),
                  Units.bytes(needed(context)),
                  Units.bytes(free),
                  remedy()));
    }
  }

  /// What would fit.
  String remedy() {
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

  /// Rows for people.
  ///
  /// @param bandwidth bytes that all cores read in a second; 0 if it was not measured
  Table asTable(Integer asked, double bandwidth) {
    int context = context(asked);
    var table = new Table("ll");
    table.row("weights", Units.bytes(weights) + ", mapped: they stay in the page cache");
    if (page > 0) {
      table.row(
          "context",
          "%s for %d tokens (of at most %d)"
              .formatted(Units.bytes(contextBytes(context)), context, limit));
    }
    table.row("work", "about " + Units.bytes(work));
    table.row(
        "together",
        isKnown()
            ? "%s; %s are free: %s"
                .formatted(
                    Units.bytes(needed(context)),
                    Units.bytes(free),
                    fits(context) ? "it fits" : "it does not fit")
            : Units.bytes(needed(context)) + "; how much is free is not known on this system");
    if (!fits(context)) {
      table.row("", remedy());
    } else if (page > 0 && isKnown()) {
      table.row("longest context", longestContext() + " tokens fit");
    }
    if (bandwidth > 0 && perToken > 0) {
      double most = bandwidth / perToken;
      table.row(
          "speed",
          String.format(
              Locale.ROOT,
              "about %s to %s tokens/s: each reads %s, and memory gives %.1f GB/s",
              rate(LOW_SHARE * most),
              rate(HIGH_SHARE * most),
              Units.bytes(perToken),
              bandwidth / 1e9));
    }
    return table;
  }

  /// Two digits, as more would not be true.
  private static String rate(double tokens) {
    return BigDecimal.valueOf(tokens).round(new MathContext(2)).toPlainString();
  }

  /// The same for programs.
  Map<String, Object> toMap(Integer asked, double bandwidth) {
    int context = context(asked);
    var map = new LinkedHashMap<String, Object>();
    map.put("weight_bytes", weights);
    map.put("work_bytes", work);
    map.put("context", page == 0 ? null : context);
    map.put("context_bytes", page == 0 ? null : contextBytes(context));
    map.put("needed_bytes", needed(context));
    map.put("free_bytes", isKnown() ? free : null);
    map.put("fits", isKnown() ? fits(context) : null);
    map.put("longest_context", page == 0 || !isKnown() ? null : longestContext());
    if (bandwidth > 0 && perToken > 0) {
      map.put("bandwidth_bytes_per_second", bandwidth);
      map.put("tokens_per_second_at_most", bandwidth / perToken);
    }
    return map;
  }
}
