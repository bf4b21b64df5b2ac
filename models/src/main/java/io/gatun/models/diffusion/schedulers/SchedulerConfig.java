package io.gatun.models.diffusion.schedulers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// A scheduler's configuration by the keys of diffusers' `scheduler_config.json`.
///
/// A key that is absent has the default of the class that asks for it. Keys of another of
/// diffusers' schedulers have no effect, as there: real files are full of them. A key that no
/// scheduler knows is an error.
public final class SchedulerConfig {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// The keys of diffusers' schedulers, of whichever class.
  private static final Set<String> KNOWN =
      Set.of(
          "algorithm_type",
          "base_image_seq_len",
          "base_shift",
          "beta_end",
          "beta_schedule",
          "beta_start",
          "clip_sample",
          "clip_sample_range",
          "disable_corrector",
          "dynamic_thresholding_ratio",
          "euler_at_final",
          "final_sigmas_type",
          "flow_shift",
          "interpolation_type",
          "invert_sigmas",
          "lambda_min_clipped",
          "lower_order_final",
          "max_image_seq_len",
          "max_shift",
          "num_train_timesteps",
          "original_inference_steps",
          "predict_x0",
          "prediction_type",
          "rescale_betas_zero_snr",
          "sample_max_value",
          "set_alpha_to_one",
          "shift",
          "shift_terminal",
          "sigma_max",
          "sigma_min",
          "skip_prk_steps",
          "solver_order",
          "solver_p",
          "solver_type",
          "steps_offset",
          "stochastic_sampling",
          "thresholding",
          "time_shift_type",
          "timestep_scaling",
          "timestep_spacing",
          "timestep_type",
          "trained_betas",
          "use_beta_sigmas",
          "use_dynamic_shifting",
          "use_exponential_sigmas",
          "use_flow_sigmas",
          "use_karras_sigmas",
          "use_lu_lambdas",
          "variance_type");

  private final JsonKeys keys;

  /// The configuration that a file or a table holds.
  ///
  /// @throws CheckpointException if it has a key that no scheduler knows, or is no JSON object
  public SchedulerConfig(JsonKeys keys) {
    this.keys = keys;
    if (!json().isObject()) {
      throw new CheckpointException(where() + ": need a JSON object with a scheduler's keys");
    }
    var unknown = new TreeSet<String>();
    json().fieldNames().forEachRemaining(unknown::add);
    unknown.removeIf(key -> key.startsWith("_") || KNOWN.contains(key));
    if (!unknown.isEmpty()) {
      throw new CheckpointException(
          "%s: Gatun does not know what %s asks of a scheduler; remove it if it changes nothing"
              .formatted(where(), UnknownKeys.shown(String.join(", ", unknown))));
    }
  }

  /// The same with one key changed.
  public SchedulerConfig with(String key, Object value) {
    ObjectNode changed = json().deepCopy();
    changed.set(key, JSON.valueToTree(value));
    return new SchedulerConfig(new JsonKeys(changed, where()));
  }

  /// The class that the file names: `EulerDiscreteScheduler`; empty if it names none.
  public String className() {
    return text("_class_name", "");
  }

  private JsonNode json() {
    return keys.json();
  }

  String where() {
    return keys.where();
  }

  int integer(String key, int absent) {
    return keys.integer(key, absent);
  }

  double number(String key, double absent) {
    return keys.number(key, absent);
  }

  /// A number that may be absent, then NaN.
  double optional(String key) {
    return keys.number(key, Double.NaN);
  }

  boolean flag(String key, boolean absent) {
    return keys.flag(key, absent);
  }

  String text(String key, String absent) {
    return keys.text(key, absent);
  }

  /// One of an enum's constants, by its name in lower case.
  <E extends Enum<E>> E choice(String key, E absent) {
    String name = absent.name().toLowerCase(Locale.ROOT);
    List<String> names =
        Arrays.stream(absent.getDeclaringClass().getEnumConstants())
            .map(e -> e.name().toLowerCase(Locale.ROOT))
            .toList();
    return Enum.valueOf(
        absent.getDeclaringClass(), oneOf(key, name, names).toUpperCase(Locale.ROOT));
  }

  /// One of some texts.
  String oneOf(String key, String absent, List<String> allowed) {
    String value = text(key, absent);
    if (!allowed.contains(value)) {
      throw new CheckpointException(
          "%s: \"%s\" is \"%s\"; Gatun has %s"
              .formatted(where(), key, value, String.join(", ", allowed)));
    }
    return value;
  }

  /// A list of numbers, or null if there is none.
  double[] numbers(String key) {
    if (keys.isAbsent(key)) {
      return null;
    }
    JsonNode list = json().path(key);
    if (!list.isArray()) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need a list".formatted(where(), key, UnknownKeys.shown(list)));
    }
    var numbers = new double[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!list.get(i).isNumber()) {
        throw new CheckpointException(
            "%s: \"%s\" has %s; need numbers"
                .formatted(where(), key, UnknownKeys.shown(list.get(i))));
      }
      numbers[i] = list.get(i).doubleValue();
    }
    return numbers;
  }

  /// A list of whole numbers, empty if there is none.
  Set<Integer> integers(String key) {
    double[] numbers = numbers(key);
    return numbers == null
        ? Set.of()
        : Arrays.stream(numbers)
            .mapToObj(n -> (int) n)
            .collect(Collectors.toCollection(HashSet::new));
  }

  /// Refuses the first of these flags that is true.
  void refuse(String why, String... flags) {
    for (String key : flags) {
      if (flag(key, false)) {
        throw refused(key, why);
      }
    }
  }

  /// Refuses a key that is given at all.
  void refuseAny(String key, String why) {
    if (!keys.isAbsent(key)) {
      throw refused(key, why);
    }
  }

  CheckpointException refused(String key, String why) {
    return new CheckpointException(
        "%s: \"%s\" is %s, which Gatun's %s does not have: %s"
            .formatted(
                where(),
                key,
                json().path(key).isMissingNode() ? "absent" : UnknownKeys.shown(json().path(key)),
                className(),
                why));
  }
}
