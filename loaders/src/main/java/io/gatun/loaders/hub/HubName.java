package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a user calls a model of the hub: `ORG/MODEL`, `ORG/MODEL@REVISION`, `ORG/MODEL:Q4_K_M`,
/// `ORG/MODEL:model.safetensors`.
///
/// @param repository `ORG/MODEL`
/// @param revision a branch, a tag or a commit
/// @param selector a file, a quantization, a variant; null for what the repository has for most
public record HubName(String repository, String revision, String selector) {
  /// What tells such a name from a path, where both could be meant.
  public static final String PREFIX = "hf:";

  private static final String PART = "[A-Za-z0-9_](?:[\\w.-]{0,94}[A-Za-z0-9_])?";
  private static final Pattern FORM =
      Pattern.compile("(" + PART + "/" + PART + ")(?:@([^:@]+))?(?::(.+))?");

  /// Whether a text has the form of a name. `hf:` before it makes it one, whatever else it could
  /// be.
  public static boolean isLike(String text) {
    return text.startsWith(PREFIX) || FORM.matcher(text).matches();
  }

  /// Reads a name.
  ///
  /// @throws CheckpointException if it has not the form of one
  public static HubName parse(String text) {
    Matcher parts = FORM.matcher(text.startsWith(PREFIX) ? text.substring(3) : text);
    if (!parts.matches() || parts.group(1).contains("--") || parts.group(1).contains("..")) {
      throw new CheckpointException(
          "\"%s\" is no model's name; need ORG/MODEL, ORG/MODEL@REVISION or ORG/MODEL:QUANT, as in Qwen/Qwen3-0.6B-GGUF:Q8_0"
              .formatted(text));
    }
    String revision = parts.group(2) == null ? "main" : parts.group(2);
    String selector = parts.group(3);
    HubPaths.check(revision, "the revision in " + text);
    if (selector != null) {
      HubPaths.check(selector, "the file in " + text);
    }
    return new HubName(parts.group(1), revision, selector);
  }

  /// With another selector.
  HubName select(String other) {
    return new HubName(repository, revision, other);
  }

  /// As a user writes it.
  @Override
  public String toString() {
    return repository
        + (revision.equals("main") ? "" : "@" + revision)
        + (selector == null ? "" : ":" + selector);
  }
}
