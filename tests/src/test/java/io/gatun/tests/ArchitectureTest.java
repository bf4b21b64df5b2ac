package io.gatun.tests;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.Workers;
import io.gatun.tensor.ops.Workspace;

/// What the module descriptors cannot say.
@AnalyzeClasses(packages = "io.gatun", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule VECTOR_API_ONLY_IN_KERNELS =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.gatun.tensor.kernel..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("jdk.incubator.vector..");

  /// What operations share knows none of them.
  @ArchTest
  static final ArchRule CONTEXT_KNOWS_NO_OPERATION =
      classes()
          .that()
          .resideInAPackage("io.gatun.tensor.ops.context")
          .should()
          .onlyDependOnClassesThat(
              resideOutsideOfPackage("io.gatun.tensor.ops..")
                  .or(resideInAPackage("io.gatun.tensor.ops.context"))
                  .or(
                      belongToAnyOf(
                          Backend.class, Precision.class, Workers.class, Workspace.class)));

  /// The rooms of the kernels: each uses only those named before it.
  @ArchTest
  static final ArchRule KERNELS_ARE_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("scalar")
          .definedBy("io.gatun.tensor.kernel.scalar")
          .layer("dense")
          .definedBy("io.gatun.tensor.kernel.dense")
          .layer("ggml")
          .definedBy("io.gatun.tensor.kernel.ggml")
          .layer("tiled")
          .definedBy("io.gatun.tensor.kernel.tiled")
          .whereLayer("tiled")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("ggml")
          .mayOnlyBeAccessedByLayers("tiled")
          .whereLayer("dense")
          .mayOnlyBeAccessedByLayers("ggml", "tiled");

  @ArchTest
  static final ArchRule GENERATED_BINDINGS_STAY_INSIDE =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.gatun.ffm..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.gatun.ffm.openblas..",
              "io.gatun.ffm.onednn..",
              "io.gatun.ffm.omp..",
              "io.gatun.ffm.posix..");

  @ArchTest
  static final ArchRule ARCHITECTURES_DO_NOT_IMPORT_EACH_OTHER =
      slices()
          .matching("io.gatun.models.(*)..")
          .should()
          .notDependOnEachOther()
          .ignoreDependency(
              com.tngtech.archunit.base.DescribedPredicate.alwaysTrue(),
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage(
                  "io.gatun.models.decoder..",
                  "io.gatun.models.image..",
                  "io.gatun.models.nn..",
                  "io.gatun.models.sampling..",
                  "io.gatun.models.template..",
                  "io.gatun.models.text.."));
}
