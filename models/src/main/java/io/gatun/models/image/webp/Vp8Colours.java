package io.gatun.models.image.webp;

import io.gatun.models.image.webp.Vp8Frame.Plane;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Luminance and colours of half the size as RGB, to the bit as libwebp makes it: each pixel's
/// colour is 9 parts of the nearest, 3 of each of the next two and 1 of the fourth.
///
/// Source: RFC 6386, section 9.2 (ITU-R BT.601); libwebp's fancy upsampling.
final class Vp8Colours {
  private final Plane[] planes;
  private final int width;
  private final int height;

  Vp8Colours(Plane[] planes, int width, int height) {
    this.planes = planes;
    this.width = width;
    this.height = height;
  }

  void write(MemorySegment out, int channels) {
    int halfWidth = (width + 1) / 2;
    int halfHeight = (height + 1) / 2;
    var luminance = new byte[width];
    var near = new byte[halfWidth];
    var far = new byte[halfWidth];
    var u = new int[width];
    var v = new int[width];
    var row = new byte[width * channels];
    for (int y = 0; y < height; y++) {
      int nearest = y / 2;
      int next = Math.clamp(y % 2 == 0 ? nearest - 1 : nearest + 1, 0, halfHeight - 1);
      copy(planes[0], y, luminance);
      copy(planes[1], nearest, near);
      copy(planes[1], next, far);
      widen(near, far, u);
      copy(planes[2], nearest, near);
      copy(planes[2], next, far);
      widen(near, far, v);
      for (int x = 0; x < width; x++) {
        int light = (luminance[x] & 0xFF) * 19077 >> 8;
        int at = x * channels;
        row[at] = toByte(light + (v[x] * 26149 >> 8) - 14234);
        row[at + 1] = toByte(light - (u[x] * 6419 >> 8) - (v[x] * 13320 >> 8) + 8708);
        row[at + 2] = toByte(light + (u[x] * 33050 >> 8) - 17685);
        if (channels == 4) {
          row[at + 3] = -1;
        }
      }
      MemorySegment.copy(row, 0, out, ValueLayout.JAVA_BYTE, (long) y * row.length, row.length);
    }
  }

  private static void copy(Plane plane, int y, byte[] row) {
    MemorySegment.copy(
        plane.bytes(), ValueLayout.JAVA_BYTE, (long) y * plane.stride(), row, 0, row.length);
  }

  /// A row of colours between the nearest stored row and the next.
  private void widen(byte[] near, byte[] far, int[] out) {
    out[0] = 3 * (near[0] & 0xFF) + (far[0] & 0xFF) + 2 >> 2;
    for (int x = 1; x <= (width - 1) / 2; x++) {
      int a = near[x - 1] & 0xFF;
      int b = near[x] & 0xFF;
      int c = far[x - 1] & 0xFF;
      int d = far[x] & 0xFF;
      int sum = a + b + c + d + 8;
      out[2 * x - 1] = (sum + 2 * (b + c) >> 3) + a >> 1;
      out[2 * x] = (sum + 2 * (a + d) >> 3) + b >> 1;
    }
    if (width % 2 == 0) {
      int last = near.length - 1;
      out[width - 1] = 3 * (near[last] & 0xFF) + (far[last] & 0xFF) + 2 >> 2;
    }
  }

  private static byte toByte(int value) {
    return (byte) Math.clamp(value >> 6, 0, 255);
  }
}
