package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.sun.management.ThreadMXBean;
import io.gatun.tensor.kernel.dense.VectorKernels;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A kernel that is compiled well makes no objects: where C2 does not inline all of it, each vector
/// becomes one, and it is slower by far.
///
/// New JVMs, with the options that users have, run all kernels, each in another order, since what
/// ran before shapes how a kernel is compiled. Which methods are kernels is read from their class
/// files: those that call the Vector API.
@Execution(ExecutionMode.CONCURRENT)
class KernelAllocationTest {
  private static final String KERNELS = "io/gatun/tensor/kernel/";
  private static final String VECTORS = "jdk/incubator/vector/";

  /// Classes whose calls of the Vector API no case makes, with the reason.
  private static final Map<String, String> WITHOUT_A_CASE =
      Map.of(
          "dense/ReadKernel.vectorBits", "asks for a number",
          "tiled/TiledPack", "makes files, from arrays on the heap");

  /// So many calls without an object, and a kernel is taken to be compiled.
  private static final int CALLS = 10;

  private static final long LIMIT_NANOS = 20_000_000_000L;

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void warmKernelsTakeNoHeap(int order) throws Exception {
    assertEquals("", boxing(order));
  }

  /// Nor may a kernel need that the compiler has seen of which class a vector is that a loop
  /// carries on. On a busy machine it has not: it compiles the kernel before there is a profile,
  /// and then each operation of which such a vector is the receiver remains a call, for good. As an
  /// argument of an operation of one that was just loaded, it does no harm.
  @Test
  void kernelsCompileWellWithoutProfiles() throws Exception {
    assertEquals("", boxing(3, "-XX:-UseTypeProfile"));
  }

  /// A call to read a number makes no object, but around it all vectors go through memory.
  @Test
  void numbersAreReadWithoutACall() throws Exception {
    String out = run(4, "TiledPanels", "-XX:+UnlockDiagnosticVMOptions", "-XX:+PrintInlining");
    // The compilers print at the same time: what comes after is another's.
    var read =
        Pattern.compile("Unsafe::get\\w*Unaligned \\(\\d+ bytes\\)\\s+(\\w+ \\w+)")
            .matcher(out)
            .results()
            .map(result -> result.group(1))
            .toList();
    assertNotEquals(List.of(), read, "no kernel was compiled");
    assertFalse(read.contains("failed to"), () -> out);
  }

  /// The kernels that make objects in two new JVMs, one after the other: what the compiler does
  /// goes by the moment at which it does it, and on a busy machine one JVM in some ten has such a
  /// kernel.
  private static String boxing(int order, String... flags) throws Exception {
    var first = names(run(order, "", flags));
    if (!first.isEmpty()) {
      first.retainAll(names(run(order, "", flags)));
    }
    return String.join(", ", first);
  }

  private static Set<String> names(String lines) {
    return lines
        .lines()
        .map(line -> line.replaceFirst(": \\d+ bytes a call$", ""))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /// What [#main] prints in a new JVM.
  private static String run(int order, String kernels, String... flags) throws Exception {
    var all = new ArrayList<>(List.of(flags));
    all.addAll(List.of(Processes.KERNEL_OPTIONS, "-Xmx256m", "-XX:+UseSerialGC"));
    Result result =
        Processes.run(
            Processes.java(KernelAllocationTest.class, all, Integer.toString(order), kernels));
    assertEquals(0, result.code(), result.out() + result.err());
    return result.out();
  }

  /// Prints the kernels whose names begin as the second argument does, and that still make objects
  /// when they have run for a while.
  public static void main(String[] args) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined()) {
      var kernels = new ArrayList<>(KernelCases.all(arena).entrySet());
      kernels.removeIf(kernel -> !kernel.getKey().startsWith(args[1]));
      Collections.shuffle(kernels, new Random(Long.parseLong(args[0])));
      for (var kernel : kernels) {
        long limit = System.nanoTime() + LIMIT_NANOS;
        long least = Long.MAX_VALUE;
        while (least > 0 && System.nanoTime() < limit) {
          long before = threads.getCurrentThreadAllocatedBytes();
          for (int i = 0; i < CALLS; i++) {
            kernel.getValue().run();
          }
          least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        if (least > 0) {
          System.out.printf("%s: %d bytes a call%n", kernel.getKey(), least / CALLS);
        }
      }
    }
  }

  /// A kernel that is new must have a case: each method that calls the Vector API is called by one,
  /// directly or not.
  @Test
  void everyKernelHasACase() throws Exception {
    var methods = new HashMap<String, Set<String>>();
    var kernels = new TreeSet<String>();
    for (var file : classFiles(VectorKernels.class, KERNELS)) {
      read(ClassFile.of().parse(file), methods, kernels);
    }
    read(ClassFile.of().parse(classFiles(KernelCases.class, "").getFirst()), methods, kernels);
    var called = new HashSet<String>();
    var queue = new ArrayDeque<String>();
    methods.keySet().stream()
        .filter(m -> m.contains("KernelCases.") || m.endsWith(".<clinit>"))
        .forEach(queue::add);
    while (!queue.isEmpty()) {
      String method = queue.remove();
      if (called.add(method)) {
        queue.addAll(methods.getOrDefault(method, Set.of()));
      }
    }
    kernels.removeAll(called);
    kernels.removeIf(
        m -> WITHOUT_A_CASE.keySet().stream().anyMatch(c -> m.startsWith(KERNELS + c)));
    assertEquals(Set.of(), kernels, "kernels that no case of KernelCases calls");
  }

  /// Notes which methods each method calls, and which of them call the Vector API.
  private static void read(ClassModel type, Map<String, Set<String>> methods, Set<String> kernels) {
    for (MethodModel method : type.methods()) {
      String name = type.thisClass().asInternalName() + "." + method.methodName().stringValue();
      var calls = methods.computeIfAbsent(name, n -> new HashSet<>());
      method
          .code()
          .ifPresent(
              code ->
                  code.forEach(
                      element -> {
                        if (element instanceof InvokeInstruction call) {
                          calls.add(nameOf(call.method()));
                        } else if (element instanceof InvokeDynamicInstruction call) {
                          call.bootstrapArgs().stream()
                              .filter(DirectMethodHandleDesc.class::isInstance)
                              .map(DirectMethodHandleDesc.class::cast)
                              .forEach(h -> calls.add(nameOf(h)));
                        }
                      }));
      boolean setUp = method.methodName().equalsString("<clinit>");
      if (!setUp && calls.stream().anyMatch(call -> call.startsWith(VECTORS))) {
        kernels.add(name);
      }
    }
  }

  private static String nameOf(MemberRefEntry method) {
    return method.owner().asInternalName() + "." + method.name().stringValue();
  }

  private static String nameOf(DirectMethodHandleDesc method) {
    String owner = method.owner().descriptorString();
    return owner.substring(1, owner.length() - 1) + "." + method.methodName();
  }

  /// The class files of a folder beside `type`'s own, or `type`'s alone.
  private static List<byte[]> classFiles(Class<?> type, String folder)
      throws IOException, URISyntaxException {
    var place = Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (Files.isDirectory(place)) {
      return classFiles(place, type, folder);
    }
    try (var jar = FileSystems.newFileSystem(place)) {
      return classFiles(jar.getPath("/"), type, folder);
    }
  }

  private static List<byte[]> classFiles(Path root, Class<?> type, String folder)
      throws IOException {
    var own = root.resolve(type.getName().replace('.', '/') + ".class");
    var files = new ArrayList<byte[]>();
    try (var tree = Files.walk(folder.isEmpty() ? own : root.resolve(folder))) {
      for (var file : tree.filter(f -> f.toString().endsWith(".class")).toList()) {
        files.add(Files.readAllBytes(file));
      }
    }
    return files;
  }
}
