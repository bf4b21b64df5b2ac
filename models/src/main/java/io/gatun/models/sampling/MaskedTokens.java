package io.gatun.models.sampling;

/// Leaves the tokens that a constraint allows.
record MaskedTokens(TokenMask mask) implements LogitsProcessor {
  @Override
  public void apply(Candidates candidates) {
    long[] allowed = mask.allowed();
    for (int from = 0; from < candidates.size(); from += Long.SIZE) {
      int word = from / Long.SIZE;
      long excluded = word < allowed.length ? ~allowed[word] : -1;
      while (excluded != 0) {
        int token = from + Long.numberOfTrailingZeros(excluded);
        if (token >= candidates.size()) {
          break;
        }
        candidates.exclude(token);
        excluded &= excluded - 1;
      }
    }
  }
}
