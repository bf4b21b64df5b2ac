package io.gatun.tensor.ops.context;

import java.lang.foreign.MemorySegment;

/// A worker's part of the scratch memory: `memory` from byte `at` on.
public record Scratch(MemorySegment memory, long at) {}
