package io.gatun.models.image.webp;

import java.io.IOException;
import java.util.Arrays;

/// A canonical prefix code as a table: the next eight bits say the symbol, or where a table for the
/// bits behind them begins.
///
/// Source: WebP lossless bitstream specification, section 6.2.
final class PrefixCode {
  private static final int MOST_BITS = 15;
  private static final int ROOT_BITS = 8;
  private static final int SIMPLE_LENGTH = 1;

  private static final int[] LENGTH_ORDER = {
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  };

  private final int rootBits;

  /// The symbol above the code's length, or the place of another table above the length of its
  /// longest code, which is more than the root's.
  private final int[] table;

  private PrefixCode(int rootBits, int[] table) {
    this.rootBits = rootBits;
    this.table = table;
  }

  /// The next symbol.
  int read(BitReader in) {
    int bits = in.peek();
    int entry = table[bits & (1 << rootBits) - 1];
    int longest = entry & 31;
    if (longest > rootBits) {
      entry = table[(entry >> 5) + (bits >>> rootBits & (1 << longest - rootBits) - 1)];
    }
    in.skip(entry & 31);
    return entry >> 5;
  }

  /// Reads a code for so many symbols.
  static PrefixCode read(BitReader in, int symbols) throws IOException {
    var lengths = new int[symbols];
    if (in.flag()) {
      boolean two = in.flag();
      put(lengths, in.read(in.flag() ? 8 : 1));
      if (two) {
        put(lengths, in.read(8));
      }
    } else {
      readLengths(in, lengths);
    }
    in.check();
    return of(lengths);
  }

  private static void put(int[] lengths, int symbol) throws IOException {
    if (symbol >= lengths.length) {
      throw new IOException("a code is for symbols that there are not");
    }
    lengths[symbol] = SIMPLE_LENGTH;
  }

  private static void readLengths(BitReader in, int[] lengths) throws IOException {
    var lengthLengths = new int[LENGTH_ORDER.length];
    int n = 4 + in.read(4);
    for (int i = 0; i < n; i++) {
      lengthLengths[LENGTH_ORDER[i]] = in.read(3);
    }
    var code = of(lengthLengths);
    int most = in.flag() ? 2 + in.read(2 + 2 * in.read(3)) : lengths.length;
    if (most > lengths.length) {
      throw new IOException("a code is for too many symbols");
    }
    int last = 8;
    for (int at = 0; at < lengths.length && most > 0; most--) {
      int length = code.read(in);
      if (length <= MOST_BITS) {
        lengths[at++] = length;
        last = length == 0 ? last : length;
        continue;
      }
      int times =
          switch (length) {
            case 16 -> 3 + in.read(2);
            case 17 -> 3 + in.read(3);
            default -> 11 + in.read(7);
          };
      if (at + times > lengths.length) {
        throw new IOException("a code is for too many symbols");
      }
      Arrays.fill(lengths, at, at + times, length == 16 ? last : 0);
      at += times;
    }
  }

  private static PrefixCode of(int[] lengths) throws IOException {
    int[] symbols = byLength(lengths);
    if (symbols.length == 1) {
      return new PrefixCode(0, new int[] {symbols[0] << 5}); // takes no bits
    }
    var codes = new int[symbols.length];
    int next = 0;
    for (int i = 0; i < symbols.length; i++) {
      int length = lengths[symbols[i]];
      codes[i] = Integer.reverse(next << 32 - length);
      int longer = i + 1 < symbols.length ? lengths[symbols[i + 1]] : length;
      next = next + 1 << longer - length;
      if (next > 1 << longer) {
        throw nonsense();
      }
    }
    int longest = symbols.length == 0 ? 0 : lengths[symbols[symbols.length - 1]];
    if (next != 1 << longest || longest == 0) {
      throw nonsense(); // codes that begin no symbol
    }
    return table(lengths, symbols, codes, Math.min(ROOT_BITS, longest));
  }

  private static IOException nonsense() {
    return new IOException("a code's lengths make no sense");
  }

  /// The symbols that have a code, by its length and their number.
  private static int[] byLength(int[] lengths) {
    var end = new int[MOST_BITS + 1];
    for (int length : lengths) {
      end[length]++;
    }
    int unused = end[0];
    for (int length = 1; length <= MOST_BITS; length++) {
      end[length] += end[length - 1];
    }
    var symbols = new int[lengths.length - unused];
    for (int symbol = lengths.length - 1; symbol >= 0; symbol--) {
      if (lengths[symbol] > 0) {
        end[lengths[symbol]]--;
        symbols[end[lengths[symbol]] - unused] = symbol;
      }
    }
    return symbols;
  }

  private static PrefixCode table(int[] lengths, int[] symbols, int[] codes, int rootBits) {
    int mask = (1 << rootBits) - 1;
    // The longest code behind each root.
    var longest = new int[1 << rootBits];
    for (int i = 0; i < symbols.length; i++) {
      longest[codes[i] & mask] = lengths[symbols[i]];
    }
    int size = 1 << rootBits;
    var places = new int[1 << rootBits];
    for (int root = 0; root <= mask; root++) {
      if (longest[root] > rootBits) {
        places[root] = size;
        size += 1 << longest[root] - rootBits;
      }
    }
    var table = new int[size];
    for (int i = 0; i < symbols.length; i++) {
      int length = lengths[symbols[i]];
      int root = codes[i] & mask;
      int entry = symbols[i] << 5 | length;
      if (length <= rootBits) {
        for (int at = codes[i]; at <= mask; at += 1 << length) {
          table[at] = entry;
        }
        continue;
      }
      table[root] = places[root] << 5 | longest[root];
      int end = 1 << longest[root] - rootBits;
      for (int at = codes[i] >> rootBits; at < end; at += 1 << length - rootBits) {
        table[places[root] + at] = entry;
      }
    }
    return new PrefixCode(rootBits, table);
  }
}
