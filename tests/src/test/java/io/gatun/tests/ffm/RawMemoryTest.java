package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.ffm.raw.RawMemory;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.net.URI;
import java.net.URL;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// The process's whole memory is the kernels' alone.
class RawMemoryTest {
  @Test
  void isExportedToTheTensorsModuleAlone() throws IOException {
    // Tests run from the class path; what counts is the descriptor that comes with the class.
    URL self = RawMemory.class.getResource("RawMemory.class");
    String folder = self.toString().replace("io/gatun/ffm/raw/RawMemory.class", "");
    ModuleDescriptor module = null;
    try (InputStream in = URI.create(folder + "module-info.class").toURL().openStream()) {
      module = ModuleDescriptor.read(in);
    } catch (IOException e) {
      assumeTrue(false, "compiled without module descriptors: " + folder);
    }
    var exports =
        module.exports().stream()
            .filter(each -> each.source().equals(RawMemory.class.getPackageName()))
            .findFirst()
            .orElseThrow();
    assertEquals(Set.of("io.gatun.tensor"), exports.targets());
  }
}
