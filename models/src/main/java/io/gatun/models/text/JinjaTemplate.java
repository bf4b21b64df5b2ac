package io.gatun.models.text;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import io.gatun.loaders.CheckpointException;
import java.util.Map;
import java.util.Set;

/// A Jinja2 template, run by Jinjava.
final class JinjaTemplate {
  private final String template;
  private final Jinjava jinjava = jinjava();

  JinjaTemplate(String template) {
    this.template = JinjaDialect.rewrite(template);
  }

  String render(Map<String, Object> variables) {
    RenderResult result = jinjava.renderForResult(template, variables);
    for (TemplateError error : result.getErrors()) {
      for (Throwable t = error.getException(); t != null; t = t.getCause()) {
        if (t instanceof ChatFunctions.Refusal) {
          throw new IllegalArgumentException(
              "the model's chat template refuses this conversation: " + t.getMessage());
        }
      }
      throw new CheckpointException(
          "the model's chat template cannot be rendered: line %d: %s"
              .formatted(error.getLineno(), error.getMessage()));
    }
    return result.getOutput();
  }

  private static Jinjava jinjava() {
    var likePython =
        LegacyOverrides.newBuilder()
            .withEvaluateMapKeys(true)
            .withIterateOverMapKeys(true)
            .withKeepNullableLoopValues(true)
            .withUsePyishObjectMapper(true)
            .withUseNaturalOperatorPrecedence(true)
            .withParseWhitespaceControlStrictly(true)
            .withUseTrimmingForNotesAndExpressions(true)
            .build();
    var jinjava =
        new Jinjava(
            JinjavaConfig.newBuilder()
                .withTrimBlocks(true)
                .withLstripBlocks(true)
                .withLegacyOverrides(likePython)
                // Else a message with {{ }} in it would be a template itself.
                .withNestedInterpretationEnabled(false)
                .withDisabled(Map.of(Library.TAG, Set.of("include", "import", "from", "extends")))
                .withElResolver(new PythonMethods())
                .withMaxOutputSize(1 << 26)
                .build());
    var context = jinjava.getGlobalContext();
    context.registerFilter(new ToJson());
    context.registerFunction(
        new ELFunctionDefinition(
            "", "raise_exception", ChatFunctions.class, "raiseException", String.class));
    context.registerFunction(
        new ELFunctionDefinition(
            "", "strftime_now", ChatFunctions.class, "strftimeNow", String.class));
    return jinjava;
  }
}
