package io.gatun.ffm.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/// Files of the user's that Gatun keeps from run to run and that nobody else may read: on Linux in
/// `$XDG_STATE_HOME/gatun` or `~/.local/state/gatun`.
public final class UserState {
  private UserState() {}

  /// The file of earlier inputs to `gatun chat`. What an earlier version kept in the cache is
  /// carried over once.
  ///
  /// @throws IOException if there is no home, or nothing can be written there
  public static Path chatHistory() throws IOException {
    Path folder =
        UserFolders.state().orElseThrow(() -> new IOException("there is no home; set HOME"));
    // Not asked of UserCache, which may be elsewhere today and would warn of it.
    String named = System.getProperty("gatun.cache");
    Path cache = named != null ? Path.of(named) : UserFolders.cache().orElse(folder);
    return file(folder, "chat-history", cache.resolve("chat-history"));
  }

  /// A file, made if it is not there, that only the user can read; so is its folder.
  ///
  /// @param old where it was before, from where it is moved if there is none yet
  /// @throws IOException if nothing can be written there
  public static Path file(Path folder, String name, Path old) throws IOException {
    Ownership.createPrivate(folder);
    Path file = folder.resolve(name);
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      if (Files.isRegularFile(old, LinkOption.NOFOLLOW_LINKS) && Ownership.isMine(old)) {
        Ownership.makePrivate(old);
        Files.move(old, file);
      } else {
        Files.createFile(file, Ownership.attributes("rw-------"));
      }
    }
    if (!Ownership.isMine(folder) || !Ownership.isMine(file)) {
      throw new IOException(file + " belongs to another user");
    }
    Ownership.makePrivate(folder);
    Ownership.makePrivate(file);
    return file;
  }
}
