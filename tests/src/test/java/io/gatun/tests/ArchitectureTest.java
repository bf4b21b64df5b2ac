package io.gatun.tests;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Recurrence;

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

  /// What operations stand on knows nothing of them.
  @ArchTest
  static final ArchRule TENSOR_IS_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("runtime")
          .definedBy("io.gatun.tensor.runtime")
          .layer("sequence")
          .definedBy("io.gatun.tensor.sequence")
          .layer("operations")
          .definedBy("io.gatun.tensor.ops..")
          .whereLayer("operations")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("sequence")
          .mayOnlyBeAccessedByLayers("operations");

  /// The rooms of the operations know nothing of those who call them.
  @ArchTest
  static final ArchRule OPERATIONS_DO_NOT_KNOW_THEIR_CALLERS =
      noClasses()
          .that()
          .resideInAPackage("io.gatun.tensor.ops.*")
          .should()
          .dependOnClassesThat(belongToAnyOf(Ops.class, Functional.class, Recurrence.class));

  /// The rooms of the operations: each uses only those named before it.
  @ArchTest
  static final ArchRule OPERATIONS_ARE_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("context")
          .definedBy("io.gatun.tensor.ops.context")
          .layer("rows")
          .definedBy("io.gatun.tensor.ops.rows")
          .layer("linear")
          .definedBy("io.gatun.tensor.ops.linear")
          .layer("conv")
          .definedBy("io.gatun.tensor.ops.conv")
          .layer("attention")
          .definedBy("io.gatun.tensor.ops.attention")
          .whereLayer("attention")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("conv")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("linear")
          .mayOnlyBeAccessedByLayers("conv")
          .whereLayer("rows")
          .mayOnlyBeAccessedByLayers("linear", "conv");

  /// Constraints: what reads schemas makes expressions, and knows nothing of what runs them. All
  /// may say what is wrong.
  @ArchTest
  static final ArchRule CONSTRAINTS_ARE_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("expressions")
          .definedBy("io.gatun.models.constraint.expr")
          .layer("schemas")
          .definedBy("io.gatun.models.constraint.json")
          .layer("constraints")
          .definedBy("io.gatun.models.constraint")
          .whereLayer("constraints")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("schemas")
          .mayOnlyBeAccessedByLayers("constraints")
          .ignoreDependency(
              com.tngtech.archunit.base.DescribedPredicate.alwaysTrue(),
              com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName(
                  "ConstraintException"));

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
                  "io.gatun.models.constraint..",
                  "io.gatun.models.decoder..",
                  "io.gatun.models.image..",
                  "io.gatun.models.nn..",
                  "io.gatun.models.quantized..",
                  "io.gatun.models.sampling..",
                  "io.gatun.models.template..",
                  "io.gatun.models.text.."))
          // It writes what that has rounded.
          .ignoreDependency(
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(
                  "io.gatun.models.rewrite.."),
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(
                  "io.gatun.models.quantize.."))
          // It has CLIP's text encoder and tokenizer.
          .ignoreDependency(
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(
                  "io.gatun.models.clipseg.."),
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(
                  "io.gatun.models.clip.."))
          // What joins the parts of a pipeline, or of a conversation, knows them all.
          .ignoreDependency(
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage(
                  "io.gatun.models.chat..", "io.gatun.models.pipeline.."),
              com.tngtech.archunit.base.DescribedPredicate.alwaysTrue());

  /// Segment Anything: what a model is, its encoders, its other networks, what users call, and what
  /// is made of that; each uses only those named before it.
  @ArchTest
  static final ArchRule SEGMENTATION_IS_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("config")
          .definedBy("io.gatun.models.sam.config")
          .layer("encoder")
          .definedBy("io.gatun.models.sam.modeling.encoder")
          .layer("modeling")
          .definedBy("io.gatun.models.sam.modeling")
          .layer("sam")
          .definedBy("io.gatun.models.sam")
          .layer("amg")
          .definedBy("io.gatun.models.sam.amg")
          .layer("video")
          .definedBy("io.gatun.models.sam.video")
          .layer("files")
          .definedBy("io.gatun.models.sam.coco", "io.gatun.models.sam.export")
          .whereLayer("amg")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("video")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("files")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("sam")
          .mayOnlyBeAccessedByLayers("amg", "video", "files")
          .whereLayer("modeling")
          .mayOnlyBeAccessedByLayers("sam", "video")
          .whereLayer("encoder")
          .mayOnlyBeAccessedByLayers("modeling", "sam", "video");

  /// Pipelines: random numbers and schedulers stand alone, the files' part knows what a network
  /// predicts, and adaptations know the files' names.
  @ArchTest
  static final ArchRule DIFFUSION_IS_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("noise")
          .definedBy("io.gatun.models.diffusion")
          .layer("schedulers")
          .definedBy("io.gatun.models.diffusion.schedulers")
          .layer("files")
          .definedBy("io.gatun.models.diffusion.files")
          .layer("adaptations")
          .definedBy("io.gatun.models.diffusion.lora")
          .whereLayer("noise")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("adaptations")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("files")
          .mayOnlyBeAccessedByLayers("adaptations")
          .whereLayer("schedulers")
          .mayOnlyBeAccessedByLayers("files");

  /// The command line: what commands share knows no command, those for one kind of model do not
  /// know each other, and those that search or measure may use them.
  @ArchTest
  static final ArchRule COMMANDS_ARE_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("console")
          .definedBy("io.gatun.tools.console")
          .layer("machine")
          .definedBy("io.gatun.tools.machine")
          .layer("remote")
          .definedBy("io.gatun.tools.remote")
          .layer("options")
          .definedBy("io.gatun.tools.options")
          .layer("models")
          .definedBy("io.gatun.tools.models")
          .layer("imagine")
          .definedBy("io.gatun.tools.imagine")
          .layer("segment")
          .definedBy("io.gatun.tools.segment")
          .layer("text")
          .definedBy("io.gatun.tools.text")
          .layer("search")
          .definedBy("io.gatun.tools.search")
          .layer("evaluate")
          .definedBy("io.gatun.tools.evaluate")
          .layer("bench")
          .definedBy("io.gatun.tools.bench..")
          .layer("main")
          .definedBy("io.gatun.tools")
          .whereLayer("main")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("bench")
          .mayOnlyBeAccessedByLayers("main")
          .whereLayer("evaluate")
          .mayOnlyBeAccessedByLayers("main")
          .whereLayer("search")
          .mayOnlyBeAccessedByLayers("bench", "evaluate", "main")
          .whereLayer("text")
          .mayOnlyBeAccessedByLayers("bench", "search", "main")
          .whereLayer("segment")
          .mayOnlyBeAccessedByLayers("bench", "evaluate", "main")
          .whereLayer("imagine")
          .mayOnlyBeAccessedByLayers("main")
          .whereLayer("models")
          .mayOnlyBeAccessedByLayers("main")
          .whereLayer("options")
          .mayOnlyAccessLayers("console")
          .whereLayer("remote")
          .mayOnlyAccessLayers("console")
          .whereLayer("machine")
          .mayOnlyAccessLayers("console")
          .whereLayer("console")
          .mayNotAccessAnyLayer();

  /// The command line loads the server for `gatun serve` alone.
  @ArchTest
  static final ArchRule ONE_CLASS_KNOWS_THE_SERVER =
      noClasses()
          .that()
          .resideOutsideOfPackages("io.gatun.server..", "io.gatun.tests..")
          .and()
          .doNotHaveFullyQualifiedName("io.gatun.tools.Serving")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.gatun.server..");

  /// The command line loads the search for the commands that need it, alone.
  @ArchTest
  static final ArchRule FEW_CLASSES_KNOW_THE_SEARCH =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "io.gatun.search..", "io.gatun.server.search", "io.gatun.tests..")
          .and()
          .haveNameNotMatching(
              "io\\.gatun\\.tools\\.(search|bench|evaluate)"
                  + "\\.(Searching.*|IndexProgress|SearchSpeed.*|SearchCache.*)"
                  + "|io\\.gatun\\.langchain4j\\.Gatun(EmbeddingStore|ContentRetriever)")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.gatun.search..");

  /// The server: what every request goes through knows no models, these know no API, and no API
  /// knows another one.
  @ArchTest
  static final ArchRule SERVER_IS_IN_LAYERS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("http")
          .definedBy("io.gatun.server.http")
          .layer("models")
          .definedBy("io.gatun.server.models")
          .layer("text")
          .definedBy("io.gatun.server.text")
          .layer("apis")
          .definedBy(
              "io.gatun.server.openai",
              "io.gatun.server.ollama",
              "io.gatun.server.search",
              "io.gatun.server.segmentation",
              "io.gatun.server.labelstudio")
          .layer("page")
          .definedBy("io.gatun.server.web")
          .layer("server")
          .definedBy("io.gatun.server")
          .whereLayer("server")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("apis")
          .mayOnlyBeAccessedByLayers("server")
          .whereLayer("page")
          .mayOnlyBeAccessedByLayers("server")
          .whereLayer("text")
          .mayOnlyBeAccessedByLayers("apis")
          .whereLayer("models")
          .mayOnlyBeAccessedByLayers("text", "apis", "server");

  @ArchTest
  static final ArchRule APIS_DO_NOT_KNOW_EACH_OTHER =
      slices()
          .matching("io.gatun.server.(*)")
          .should()
          .notDependOnEachOther()
          .ignoreDependency(
              com.tngtech.archunit.base.DescribedPredicate.alwaysTrue(),
              com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage(
                  "io.gatun.server.http", "io.gatun.server.models", "io.gatun.server.text"));

  /// What speaks HTTP is one module, and knows no commands.
  @ArchTest
  static final ArchRule ONLY_THE_SERVER_SPEAKS_HTTP =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.gatun.server..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.eclipse.jetty..");
}
