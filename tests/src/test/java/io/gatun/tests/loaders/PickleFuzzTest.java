package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tests.Limits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Pickles put together opcode by opcode, most of which mean something: each is read or refused
/// within [Limits].
class PickleFuzzTest {
  private static final int PICKLES = 2000;
  private static final String STORAGE =
      "(\u008c\7storagectorch\nFloatStorage\n\u008c\0010\u008c\3cpuK\u0010tQ";

  /// Each leaves one value more on the stack.
  private static final List<String> VALUES =
      List.of(
          "N",
          "\u0088",
          "K\3",
          "M\1\2",
          "J\u00ff\u00ff\u00ff\u00ff",
          "\u008a\3abc",
          "G\u007f\u00f0\0\0\0\0\0\0",
          "\u008c\1w",
          "X\2\0\0\0ab",
          "U\1z",
          "]",
          "}",
          ")",
          "\u008f",
          "ccollections\nOrderedDict\n",
          "ctorch\nSize\n",
          "ctorch\ndevice\n",
          "cbuiltins\nset\n",
          "c_codecs\nencode\n",
          "ctorch\nfloat16\n",
          "ctorch._utils\n_rebuild_parameter\n",
          "ctorch._utils\n_rebuild_tensor_v2\n",
          "ccollections\nOrderedDict\n)R",
          STORAGE,
          "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K\0K\2\u0085K\1\u0085tR",
          "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K\1(K\2K\2tK\0K\3\u0086\u0089NtR");

  /// Each takes values, if there are enough.
  private static final List<String> USES =
      List.of(
          "a", "e", "s", "u", "t", "\u0085", "\u0086", "\u0087", "(", "(", "0", "1", "2", "R",
          "\u0081", "b", "Q", "\u0090", "\u0091", "\u0093", "\u0094", "h\0", "h\1", "h\2", "h\7");

  @TempDir Path dir;

  @Test
  void picklesByOpcode() throws IOException {
    Path file = dir.resolve("x.pth");
    int opened = 0;
    for (int seed = 0; seed < PICKLES; seed++) {
      String pickle = pickle(new Random(seed));
      Files.write(file, Fixtures.pth(pickle.getBytes(StandardCharsets.ISO_8859_1), true));
      try {
        opened += Limits.within(() -> open(file)) ? 1 : 0;
      } catch (RuntimeException | Error e) {
        fail("seed " + seed, e);
      }
    }
    assertTrue(opened > PICKLES / 20, opened + " were read: most mean nothing");
    assertTrue(opened < PICKLES, "none was refused");
  }

  private static boolean open(Path file) {
    try (var checkpoint = Checkpoint.open(file)) {
      return !checkpoint.toString().isEmpty() && !checkpoint.metadata().toString().isEmpty();
    } catch (CheckpointException e) {
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      return false;
    }
  }

  private static String pickle(Random random) {
    var pickle = new StringBuilder(random.nextBoolean() ? "}" : "](");
    for (int i = random.nextInt(1, 120); i > 0; i--) {
      switch (random.nextInt(8)) {
        case 0, 1 -> pickle.append(any(VALUES, random));
        case 2 ->
            pickle
                .append("\u008c\1")
                .append((char) ('a' + i % 26))
                .append(any(VALUES, random))
                .append('s');
        case 3 -> pickle.append(any(VALUES, random)).append("\u0094");
        case 4 -> pickle.append(any(VALUES, random)).append('0');
        case 5 ->
            pickle.append("](").append(any(VALUES, random).repeat(random.nextInt(9))).append("e0");
        case 6 -> pickle.append(any(VALUES, random)).append("\u00850");
        default -> {
          if (random.nextInt(12) == 0) {
            pickle.append(any(USES, random));
          }
        }
      }
    }
    return pickle.append('.').toString();
  }

  private static String any(List<String> list, Random random) {
    return list.get(random.nextInt(list.size()));
  }
}
