package io.gatun.models.diffusion.schedulers;

import io.gatun.loaders.CheckpointException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/// Schedulers by the class that a configuration names, or by the short names that people use.
public final class Schedulers {
  /// A class and the keys that it is to have.
  private record Choice(String className, Map<String, ?> keys) {}

  private static final String FLOW = "FlowMatchEulerDiscreteScheduler";
  private static final String FLOW_HEUN = "FlowMatchHeunDiscreteScheduler";

  /// Gatun's own name: diffusers has no such class.
  private static final String TWO_S_ANCESTRAL = "DPMSolverTwoSAncestralScheduler";

  private static final Map<String, Choice> BY_NAME = new LinkedHashMap<>();

  static {
    put("euler", "EulerDiscreteScheduler", Map.of("use_karras_sigmas", false));
    put("euler_karras", "EulerDiscreteScheduler", Map.of("use_karras_sigmas", true));
    put("euler_a", "EulerAncestralDiscreteScheduler", Map.of());
    put("ddim", "DDIMScheduler", Map.of());
    put("dpmpp_2m", "DPMSolverMultistepScheduler", dpm("dpmsolver++", false));
    put("dpmpp_2m_karras", "DPMSolverMultistepScheduler", dpm("dpmsolver++", true));
    put("dpmpp_2m_sde", "DPMSolverMultistepScheduler", dpm("sde-dpmsolver++", false));
    put("dpmpp_2m_sde_karras", "DPMSolverMultistepScheduler", dpm("sde-dpmsolver++", true));
    put("unipc", "UniPCMultistepScheduler", Map.of());
    put("pndm", "PNDMScheduler", Map.of("skip_prk_steps", true));
    put("lcm", "LCMScheduler", Map.of());
    put("tcd", "TCDScheduler", Map.of());
    put("heun", "HeunDiscreteScheduler", Map.of());
    put("dpm2", "KDPM2DiscreteScheduler", Map.of());
    put("dpm2_a", "KDPM2AncestralDiscreteScheduler", Map.of());
    put("dpmpp_2s", "DPMSolverSinglestepScheduler", Map.of());
    put("dpmpp_2s_a", TWO_S_ANCESTRAL, Map.of());
    put("lms", "LMSDiscreteScheduler", Map.of());
    put("deis", "DEISMultistepScheduler", Map.of("solver_type", "logrho"));
  }

  /// The names that AUTOMATIC1111's web UI has for them.
  private static final Map<String, String> SAMPLERS =
      Map.ofEntries(
          Map.entry("euler", "Euler"),
          Map.entry("euler_karras", "Euler Karras"),
          Map.entry("euler_a", "Euler a"),
          Map.entry("ddim", "DDIM"),
          Map.entry("dpmpp_2m", "DPM++ 2M"),
          Map.entry("dpmpp_2m_karras", "DPM++ 2M Karras"),
          Map.entry("dpmpp_2m_sde", "DPM++ 2M SDE"),
          Map.entry("dpmpp_2m_sde_karras", "DPM++ 2M SDE Karras"),
          Map.entry("unipc", "UniPC"),
          Map.entry("pndm", "PLMS"),
          Map.entry("lcm", "LCM"),
          Map.entry("tcd", "TCD"),
          Map.entry("heun", "Heun"),
          Map.entry("dpm2", "DPM2"),
          Map.entry("dpm2_a", "DPM2 a"),
          Map.entry("dpmpp_2s", "DPM++ 2S"),
          Map.entry("dpmpp_2s_a", "DPM++ 2S a"),
          Map.entry("lms", "LMS"),
          Map.entry("deis", "DEIS"));

  private Schedulers() {}

  private static void put(String name, String className, Map<String, ?> keys) {
    BY_NAME.put(name, new Choice(className, keys));
  }

  private static Map<String, ?> dpm(String algorithm, boolean karras) {
    return Map.of("algorithm_type", algorithm, "solver_order", 2, "use_karras_sigmas", karras);
  }

  /// The short names.
  public static Set<String> all() {
    return Collections.unmodifiableSet(BY_NAME.keySet());
  }

  /// The short names, for help texts: `euler, euler_karras, ...`.
  public static String names() {
    return String.join(", ", all());
  }

  /// The short name by which other programs' sampler goes, or null for one that Gatun does not
  /// have.
  ///
  /// @param sampler as AUTOMATIC1111's web UI calls it: `DPM++ 2M Karras`
  /// @param type its "schedule type", which newer versions write apart; empty for none
  public static String ofSampler(String sampler, String type) {
    String name = sampler.endsWith(type) ? sampler : sampler + " " + type;
    return SAMPLERS.entrySet().stream()
        .filter(e -> name.replace(" Automatic", "").replace(" Uniform", "").equals(e.getValue()))
        .map(Map.Entry::getKey)
        .findFirst()
        .orElse(null);
  }

  /// A scheduler as AUTOMATIC1111's web UI would call it.
  public static String samplerName(Scheduler scheduler) {
    return switch (scheduler) {
      case EulerDiscreteScheduler s -> s.isKarras() ? "Euler Karras" : "Euler";
      case EulerAncestralDiscreteScheduler _ -> "Euler a";
      case DDIMScheduler _ -> "DDIM";
      case DPMSolverMultistepScheduler s ->
          "DPM++ 2M" + (s.isSde() ? " SDE" : "") + (s.isKarras() ? " Karras" : "");
      case UniPCMultistepScheduler _ -> "UniPC";
      case PNDMScheduler _ -> "PLMS";
      case LCMScheduler _ -> "LCM";
      case TCDScheduler _ -> "TCD";
      case HeunDiscreteScheduler _ -> "Heun";
      case KDPM2DiscreteScheduler s -> s.isAncestral() ? "DPM2 a" : "DPM2";
      case DPMSolverTwoSAncestralScheduler _ -> "DPM++ 2S a";
      case DPMSolverSinglestepScheduler _ -> "DPM++ 2S";
      case LMSDiscreteScheduler _ -> "LMS";
      case DEISMultistepScheduler _ -> "DEIS";
      case IPNDMScheduler _ -> "IPNDM";
      case FlowMatchEulerDiscreteScheduler s -> s.isHeun() ? "Heun" : "Euler";
    };
  }

  /// The scheduler that a configuration describes.
  ///
  /// @throws CheckpointException if Gatun does not have it, or not as configured
  public static Scheduler of(SchedulerConfig config) {
    return switch (config.className()) {
      case "EulerDiscreteScheduler" -> new EulerDiscreteScheduler(config);
      case "EulerAncestralDiscreteScheduler" -> new EulerAncestralDiscreteScheduler(config);
      case "DDIMScheduler" -> new DDIMScheduler(config);
      case "DPMSolverMultistepScheduler" -> new DPMSolverMultistepScheduler(config);
      case "UniPCMultistepScheduler" -> new UniPCMultistepScheduler(config);
      case "PNDMScheduler" -> new PNDMScheduler(config);
      case "LCMScheduler" -> new LCMScheduler(config);
      case "TCDScheduler" -> new TCDScheduler(config);
      case "HeunDiscreteScheduler" -> new HeunDiscreteScheduler(config);
      case "KDPM2DiscreteScheduler" -> new KDPM2DiscreteScheduler(config, false);
      case "KDPM2AncestralDiscreteScheduler" -> new KDPM2DiscreteScheduler(config, true);
      case TWO_S_ANCESTRAL -> new DPMSolverTwoSAncestralScheduler(config);
      case "DPMSolverSinglestepScheduler" -> new DPMSolverSinglestepScheduler(config);
      case "LMSDiscreteScheduler" -> new LMSDiscreteScheduler(config);
      case "DEISMultistepScheduler" -> new DEISMultistepScheduler(config);
      case "IPNDMScheduler" -> new IPNDMScheduler(config);
      case FLOW -> new FlowMatchEulerDiscreteScheduler(config);
      case FLOW_HEUN -> new FlowMatchEulerDiscreteScheduler(config, true);
      default ->
          throw new CheckpointException(
              "%s: \"_class_name\" is \"%s\"; choose one of Gatun's schedulers: %s"
                  .formatted(config.where(), config.className(), names()));
    };
  }

  private static boolean isFlow(SchedulerConfig config) {
    return config.className().equals(FLOW) || config.className().equals(FLOW_HEUN);
  }

  /// The scheduler of a short name, with its steps spread in another way.
  ///
  /// @param name null for the configuration's own
  /// @param spacing null for the scheduler's own
  /// @param xl whether the model is of Stable Diffusion XL's kind
  /// @throws IllegalArgumentException if there is no such name, or its steps cannot be spread so
  /// @throws CheckpointException if the configuration asks for what the scheduler does not have
  public static Scheduler of(SchedulerConfig config, String name, Spacing spacing, boolean xl) {
    var spaced = spacing == null ? config : spacing.in(config, isFlow(config));
    var scheduler = name == null ? of(spaced) : byName(name, spaced);
    if (spacing != null) {
      scheduler.spacing(spacing, xl);
    }
    return scheduler;
  }

  /// The scheduler of a short name, for a model that comes with `config`: what the configuration
  /// says of the model's training holds, and of the walk what both classes know.
  ///
  /// @throws IllegalArgumentException if there is no such name
  /// @throws CheckpointException if the configuration asks for what the scheduler does not have
  public static Scheduler byName(String name, SchedulerConfig config) {
    Choice choice = BY_NAME.get(name);
    if (choice == null) {
      throw new IllegalArgumentException(
          "there is no scheduler \"%s\"; choose one of %s".formatted(name, names()));
    }
    if (isFlow(config)) {
      return switch (name) {
        case "euler" -> of(config.with("_class_name", FLOW));
        case "heun" -> of(config.with("_class_name", FLOW_HEUN));
        default ->
            throw new IllegalArgumentException(
                "this model follows a flow, along which Gatun has the schedulers euler and heun; %s is for models that predict noise"
                    .formatted(name));
      };
    }
    var changed = config.with("_class_name", choice.className());
    for (Map.Entry<String, ?> key : choice.keys().entrySet()) {
      changed = changed.with(key.getKey(), key.getValue());
    }
    return of(changed);
  }
}
