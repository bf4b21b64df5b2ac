package io.gatun.models.sampling;

/// Leaves the tokens that a constraint allows.
record MaskedTokens(TokenMask mask) implements LogitsProcessor {
  @Override
  public void apply(Candidates candidates) {
    candidates.keep(mask.allowed());
  }
}
