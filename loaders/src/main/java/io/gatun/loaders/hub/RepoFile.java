package io.gatun.loaders.hub;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// A file of a repository, as the hub lists it.
///
/// @param path with `/` between its parts
/// @param etag what its contents are known by: SHA-256 of a large file, Git's hash of a small one
record RepoFile(String path, long size, String etag) {
  private static final Pattern HASH = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");
  private static final int SHA256_DIGITS = 64;

  static boolean isHash(String text) {
    return HASH.matcher(text).matches();
  }

  /// What computes the hash of the contents; Git puts a header before them.
  MessageDigest digest() {
    try {
      if (etag.length() == SHA256_DIGITS) {
        return MessageDigest.getInstance("SHA-256");
      }
      var digest = MessageDigest.getInstance("SHA-1");
      digest.update(("blob " + size + "\0").getBytes(java.nio.charset.StandardCharsets.US_ASCII));
      return digest;
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e); // every Java has both
    }
  }

  boolean hasHash(byte[] hash) {
    return HexFormat.of().formatHex(hash).equals(etag);
  }
}
