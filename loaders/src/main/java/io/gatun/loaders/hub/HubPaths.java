package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// Paths that somebody else chose, be it a server: they stay below the folder that they are for.
final class HubPaths {
  /// Names that Windows keeps for devices, and what it cannot have in a name.
  private static final Pattern REFUSED =
      Pattern.compile("(?i)\\.{0,2}|.*[\\\\:*?\"<>|\\p{Cntrl}].*|.*[. ]|(con|prn|aux|nul)(\\..*)?");

  private static final int LONGEST = 1000;

  private HubPaths() {}

  /// Makes sure that a path, with `/` between its parts, leads down and nowhere else.
  ///
  /// @param what the path is, for the message
  /// @throws CheckpointException if it does not
  static void check(String path, String what) {
    boolean ok = path.length() <= LONGEST;
    for (String part : path.split("/", -1)) {
      ok &= !REFUSED.matcher(part).matches();
    }
    if (!ok) {
      throw new CheckpointException(
          "%s, \"%s\", is no path of plain names: it could lead out of the folder that it belongs in, and is not used"
              .formatted(what, path.substring(0, Math.min(path.length(), LONGEST))));
    }
  }

  /// The path below a folder.
  ///
  /// @throws CheckpointException if it would lie elsewhere
  static Path below(Path folder, String path, String what) {
    check(path, what);
    try {
      return folder.resolve(path);
    } catch (InvalidPathException e) {
      throw new CheckpointException(
          "%s, \"%s\", is no path on this system".formatted(what, path), e);
    }
  }
}
