package io.gatun.models.template;

import io.gatun.models.template.Values.Undefined;
import java.util.HashMap;
import java.util.Map;

/// The variables of a body; what it does not have it looks up in the bodies around it.
final class Scope {
  private final Scope outer;
  private final Map<String, Object> variables;

  Scope(Scope outer, Map<String, Object> variables) {
    this.outer = outer;
    this.variables = variables;
  }

  Scope inner() {
    return new Scope(this, new HashMap<>());
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }

  /// The value, or [Undefined].
  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object value = scope.variables.get(name);
      if (value != null || scope.variables.containsKey(name)) {
        return value;
      }
    }
    return new Undefined("'%s' is undefined".formatted(name));
  }
}
