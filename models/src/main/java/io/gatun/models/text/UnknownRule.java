package io.gatun.models.text;

import java.nio.charset.StandardCharsets;

/// What stands for a character that the vocabulary lacks: its UTF-8 bytes where there are byte
/// tokens, else the unknown token, else nothing.
///
/// @param byteIds the ids of the 256 byte tokens (-1 where absent), or null for no byte fallback
/// @param unkId the unknown token, or -1
/// @param fuse whether neighbouring unknown characters become one unknown token
@SuppressWarnings("ArrayRecordComponent") // never compared
record UnknownRule(int[] byteIds, int unkId, boolean fuse) {
  /// Appends what stands for `text`; `afterUnknown` tells whether the character before ended as the
  /// unknown token, and the result whether this one did.
  boolean append(String text, boolean afterUnknown, Ids out) {
    if (byteIds != null) {
      int[] ids = new int[4 * text.length()];
      int n = 0;
      boolean all = true;
      for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
        int id = byteIds[b & 0xFF];
        all &= id >= 0;
        ids[n++] = id;
      }
      if (all) {
        for (int i = 0; i < n; i++) {
          out.add(ids[i]);
        }
        return false;
      }
    }
    if (unkId >= 0 && !(fuse && afterUnknown)) {
      out.add(unkId);
    }
    return unkId >= 0;
  }
}
