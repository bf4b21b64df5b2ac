package io.gatun.tools;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.jar.JarEntry;
import java.util.jar.JarInputStream;
import java.util.jar.JarOutputStream;

/// What the launcher runs once on picocli's jar: the JVM's archive has no room for class files of
/// before Java 6, as its are, and reading and verifying them takes each start 50 ms.
final class ClassFileUpgrade {
  /// Since Java 6 class files say what types a method's variables have, and are verified by that.
  private static final int JAVA_6 = 50;

  /// The oldest that verifies in no other way.
  private static final int JAVA_8 = 52;

  private ClassFileUpgrade() {}

  public static void main(String[] args) throws IOException {
    for (String jar : args) {
      upgrade(Path.of(jar));
    }
  }

  private static void upgrade(Path jar) throws IOException {
    Path upgraded = Path.of(jar + "." + ProcessHandle.current().pid());
    try {
      if (upgrade(jar, upgraded)) {
        Files.move(upgraded, jar, StandardCopyOption.ATOMIC_MOVE);
      }
    } finally {
      Files.deleteIfExists(upgraded);
    }
  }

  /// Whether there was anything to do.
  private static boolean upgrade(Path jar, Path to) throws IOException {
    boolean any = false;
    try (var in = new JarInputStream(Files.newInputStream(jar));
        OutputStream file = Files.newOutputStream(to);
        var out = new JarOutputStream(file, in.getManifest())) {
      for (JarEntry entry = in.getNextJarEntry(); entry != null; entry = in.getNextJarEntry()) {
        byte[] bytes = in.readAllBytes();
        boolean old = entry.getName().endsWith(".class") && version(bytes) < JAVA_6;
        any |= old;
        out.putNextEntry(new JarEntry(entry.getName()));
        out.write(old ? upgraded(bytes) : bytes);
        out.closeEntry();
      }
    }
    return any;
  }

  private static int version(byte[] classFile) {
    return (classFile[6] & 0xFF) << 8 | classFile[7] & 0xFF;
  }

  private static byte[] upgraded(byte[] classFile) {
    var files =
        ClassFile.of(
            ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
            ClassFile.ClassHierarchyResolverOption.of(
                ClassHierarchyResolver.ofResourceParsing(ClassLoader.getSystemClassLoader())));
    return files.transformClass(
        files.parse(classFile),
        ClassTransform.transformingMethodBodies((code, element) -> code.with(element))
            .andThen(ClassTransform.endHandler(builder -> builder.withVersion(JAVA_8, 0))));
  }
}
