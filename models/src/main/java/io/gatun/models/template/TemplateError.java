package io.gatun.models.template;

/// What is wrong with a template, or with what it does.
public class TemplateError extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// @param message what is wrong, without where
  TemplateError(String message) {
    // A stack trace would only show this interpreter.
    super(message, null, false, false);
  }

  /// A mistake in the template's text.
  static TemplateError syntax(int line, String message) {
    return new TemplateError(message).at(line);
  }

  /// The same, with the line of the template.
  TemplateError at(int line) {
    return new TemplateError("line %d: %s".formatted(line, getMessage()));
  }

  /// A template's own refusal, by `raise_exception`; the message is the template's.
  public static final class Refusal extends TemplateError {
    private static final long serialVersionUID = 1;

    Refusal(String message) {
      super(message);
    }

    @Override
    Refusal at(int line) {
      return this;
    }
  }
}
