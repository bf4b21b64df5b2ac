package io.gatun.tools.segment;

import io.gatun.models.sam.Prompt;

/// An object that is looked for in an image.
///
/// @param prompt where it is; null if a text says what it is, or a mask alone
/// @param text what it is, in words; may be null
/// @param label what it is called in annotations; may be null
record Target(Prompt prompt, String text, String label) {
  static final Target UNNAMED = new Target(null, null, null);

  static Target of(Prompt prompt) {
    return new Target(prompt, null, null);
  }

  static Target of(String text) {
    return new Target(null, text, null);
  }

  Target at(Prompt where) {
    return new Target(where, text, label);
  }
}
