package io.gatun.models.diffusion;

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
          Map.entry("lcm", "LCM"));

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
      case FlowMatchEulerDiscreteScheduler _ -> "Euler";
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
      case FLOW -> new FlowMatchEulerDiscreteScheduler(config);
      default ->
          throw new CheckpointException(
              "%s: \"_class_name\" is \"%s\"; choose one of Gatun's schedulers: %s"
                  .formatted(config.where(), config.className(), names()));
    };
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
    if (config.className().equals(FLOW)) {
      if (!name.equals("euler")) {
        throw new IllegalArgumentException(
            "this model follows a flow, along which Gatun has the scheduler euler alone; %s is for models that predict noise"
                .formatted(name));
      }
      return of(config);
    }
    var changed = config.with("_class_name", choice.className());
    for (Map.Entry<String, ?> key : choice.keys().entrySet()) {
      changed = changed.with(key.getKey(), key.getValue());
    }
    return of(changed);
  }
}
