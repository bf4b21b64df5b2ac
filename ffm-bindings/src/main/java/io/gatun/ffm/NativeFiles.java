package io.gatun.ffm;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.Stamp;
import io.gatun.ffm.files.UserCache;
import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.channels.Channels;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/// Unpacks native files from the jars on the class path into the user's cache.
///
/// What is in a library runs in this process. So a file is loaded only from a folder in which
/// nobody else can put anything, and only as this process or an earlier one left it (see
/// [UserCache] and [Stamp]); any other file is unpacked again, from the jar, over it. The folder's
/// name holds the files' checksums and sizes, which a jar's directory lists, so that a warm start
/// reads no file.
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
      Path dir = UserCache.open("natives/" + key);
      requireNothingElse(dir, names);
      var files = new ArrayList<Path>();
      for (JarEntry entry : entries) {
        Path file = dir.resolve(entry.getName().substring(folder.length()));
        if (!Stamp.isUnchanged(file)) {
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

  /// A library looks for those that it needs in its own folder first.
  private static void requireNothingElse(Path dir, List<String> names) throws IOException {
    try (var files = Files.newDirectoryStream(dir)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        // Temporary files begin with a dot; no library's name does.
        if (!name.startsWith(".") && !names.contains(name.replaceFirst("\\.stamp$", ""))) {
          throw new IOException(file + " is not of Gatun's making; remove it");
        }
      }
    }
  }

  private static void unpack(JarFile jar, JarEntry entry, Path file) throws IOException {
    var crc = new CRC32();
    try (var temporary = new AtomicFile(file);
        var in = new CheckedInputStream(jar.getInputStream(entry), crc)) {
      long bytes = in.transferTo(Channels.newOutputStream(temporary.channel()));
      if (crc.getValue() != entry.getCrc() || bytes != entry.getSize()) {
        throw new IOException("%s: %s is damaged".formatted(jar.getName(), entry.getName()));
      }
      temporary.commit();
    } catch (FileSystemException e) {
      // Windows refuses to replace a library that another process has loaded; then it is there.
      if (!Stamp.isUnchanged(file)) {
        throw e;
      }
    }
    Stamp.write(file);
  }
}
