package io.gatun.models.image;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// What a JPEG file says before its pixels.
///
/// Source: ITU-T T.81 annex B (markers), Exif 2.3 section 4.6 (orientation), Adobe technical note
/// 5116 (transform).
///
/// @param components the colour components: 1 grey, 3 colour, 4 printing inks
/// @param orientation Exif's: how the camera was held, 1 to 8; 1 is upright
/// @param adobeTransform Adobe's: 0 as stored, 1 YCbCr, 2 YCCK; -1 if it is not given
record JpegHeader(int components, int orientation, int adobeTransform) {
  private static final ValueLayout.OfShort BIG_SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] ADOBE = "Adobe".getBytes(StandardCharsets.US_ASCII);
  private static final int ORIENTATION = 0x0112;

  /// Reads up to the first scan; what is cut off or damaged counts as not said.
  static JpegHeader of(MemorySegment file) {
    int components = 0;
    int orientation = 1;
    int transform = -1;
    for (long at = 2; at + 4 <= file.byteSize(); ) {
      int marker = unsigned(file, at);
      int length = Short.toUnsignedInt(file.get(BIG_SHORT, at + 2));
      if (marker == 0xFF && unsigned(file, at + 1) == 0xFF) {
        at++; // fill bytes may stand before a marker
        continue;
      }
      int code = unsigned(file, at + 1);
      if (marker != 0xFF || code == 0xDA || length < 2 || at + 2 + length > file.byteSize()) {
        break;
      }
      var body = file.asSlice(at + 4, length - 2);
      if (code == 0xE1 && begins(body, EXIF)) {
        orientation = orientation(body.asSlice(EXIF.length));
      } else if (code == 0xEE && begins(body, ADOBE) && body.byteSize() >= 12) {
        transform = unsigned(body, 11);
      } else if (isFrame(code) && body.byteSize() >= 6) {
        components = unsigned(body, 5);
      }
      at += 2 + length;
    }
    return new JpegHeader(components, orientation, transform);
  }

  /// SOF0 to SOF15 without DHT, JPG and DAC, which lie between them.
  private static boolean isFrame(int code) {
    return code >= 0xC0 && code <= 0xCF && code != 0xC4 && code != 0xC8 && code != 0xCC;
  }

  private static boolean begins(MemorySegment body, byte[] with) {
    return body.byteSize() >= with.length
        && body.asSlice(0, with.length).mismatch(MemorySegment.ofArray(with)) < 0;
  }

  /// Tag 0x0112 of the first directory of a TIFF structure.
  private static int orientation(MemorySegment tiff) {
    if (tiff.byteSize() < 8) {
      return 1;
    }
    var order = unsigned(tiff, 0) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
    var twoBytes = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order);
    long at = tiff.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(order), 4) & 0xFFFFFFFFL;
    if (at + 2 > tiff.byteSize()) {
      return 1;
    }
    int entries = Short.toUnsignedInt(tiff.get(twoBytes, at));
    at += 2;
    for (int i = 0; i < entries && at + 12 <= tiff.byteSize(); i++, at += 12) {
      if (Short.toUnsignedInt(tiff.get(twoBytes, at)) == ORIENTATION) {
        int value = Short.toUnsignedInt(tiff.get(twoBytes, at + 8));
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
    return 1;
  }

  private static int unsigned(MemorySegment bytes, long at) {
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at));
  }
}
