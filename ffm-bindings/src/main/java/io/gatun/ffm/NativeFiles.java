package io.gatun.ffm;

import java.io.IOException;
import java.io.OutputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/// Unpacks native files from the jars on the class path into a per-user cache.
///
/// The cache folder's name holds the files' checksums and sizes, which a jar's directory lists, so
/// that a warm start reads no file. A file is written beside its place, checked, and renamed into
/// it: processes that start at once each rename a complete file, and nobody sees half of one.
final class NativeFiles {
  private NativeFiles() {}

  /// The files of `folder` in the class path's jars as files on disk, in the same order.
  ///
  /// @throws IOException if a file is not on the class path, is damaged, or cannot be written
  static List<Path> unpack(String folder, List<String> names, String library) throws IOException {
    URL first = resource(folder + names.getFirst());
    if (first.getProtocol().equals("file")) {
      Path dir = Path.of(URI.create(first.toString())).getParent();
      return names.stream().map(dir::resolve).toList();
    }
    if (!(first.openConnection() instanceof JarURLConnection connection)) {
      throw new IOException("cannot read " + first + ": neither a jar nor a folder");
    }
    // A cached JarFile could be shared with the class loader, and is not ours to close.
    connection.setUseCaches(false);
    try (JarFile jar = connection.getJarFile()) {
      var entries = new ArrayList<JarEntry>();
      var key = new StringBuilder(library);
      for (String name : names) {
        JarEntry entry = jar.getJarEntry(folder + name);
        if (entry == null) {
          throw new IOException(jar.getName() + " has no " + folder + name);
        }
        entries.add(entry);
        key.append("-%08x-%x".formatted(entry.getCrc(), entry.getSize()));
      }
      Path dir =
          Files.createDirectories(UserCache.folder().resolve("natives").resolve(key.toString()));
      var files = new ArrayList<Path>();
      for (JarEntry entry : entries) {
        Path file = dir.resolve(entry.getName().substring(folder.length()));
        if (!isWhole(file, entry)) {
          unpack(jar, entry, file);
        }
        files.add(file);
      }
      return files;
    }
  }

  private static URL resource(String name) throws IOException {
    URL url = NativeFiles.class.getClassLoader().getResource(name);
    if (url == null) {
      throw new IOException(name + " is not on the class path");
    }
    return url;
  }

  // The size alone: it catches what is likely (a full disk, a broken copy) at no cost.
  private static boolean isWhole(Path file, JarEntry entry) throws IOException {
    return Files.isRegularFile(file) && Files.size(file) == entry.getSize();
  }

  private static void unpack(JarFile jar, JarEntry entry, Path file) throws IOException {
    Path temp = Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
    try {
      var crc = new CRC32();
      try (var in = new CheckedInputStream(jar.getInputStream(entry), crc);
          OutputStream out = Files.newOutputStream(temp)) {
        in.transferTo(out);
      }
      if (crc.getValue() != entry.getCrc() || Files.size(temp) != entry.getSize()) {
        throw new IOException("%s: %s is damaged".formatted(jar.getName(), entry.getName()));
      }
      move(temp, file);
    } catch (FileSystemException e) {
      // Windows refuses to replace a library that another process has loaded; then it is there.
      if (!isWhole(file, entry)) {
        throw e;
      }
    } finally {
      Files.deleteIfExists(temp);
    }
  }

  private static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
